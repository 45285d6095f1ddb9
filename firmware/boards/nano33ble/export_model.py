"""Before a build: writes the model's C++ beside the sources and sizes the core's arrays for it.

Called by PlatformIO (extra_scripts in platformio.ini). TINYOL_BUNDLE names a bundle; without it
the one that ships for the sensor's rate is taken.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

Import("env")  # type: ignore[name-defined]  # noqa: F821 (PlatformIO defines it)
environment = env  # type: ignore[name-defined]  # noqa: F821

FIRMWARE = Path(environment["PROJECT_DIR"])
# A folder a board environment: the two revisions have different models.
MODEL = Path(environment["PROJECT_BUILD_DIR"], environment["PIOENV"], "model")


def tinyol_command() -> str:
    """The project's own command: of its virtual environment, or on the path."""
    local = FIRMWARE.parent / ".venv" / "bin" / "tinyol"
    found = str(local) if local.exists() else shutil.which("tinyol")
    if found is None:
        sys.exit(
            "error: the command `tinyol`, which exports the model, is not there:"
            f" pip install -e {FIRMWARE.parent}"
        )
    return found


command = [tinyol_command(), "model", "export", "--to", str(MODEL)]
command += ["--rate-hz", environment.GetProjectOption("custom_sensor_hz")]
if bundle := os.environ.get("TINYOL_BUNDLE"):
    command.append(str(Path(bundle).absolute()))
if subprocess.run(command, check=False).returncode != 0:
    sys.exit(1)

environment.Append(BUILD_FLAGS=(MODEL / "model_flags.txt").read_text().split())
environment.Append(CPPPATH=[str(MODEL)])
environment.ProcessFlags(environment["BUILD_FLAGS"])
environment.BuildSources(str(MODEL / "objects"), str(MODEL), "+<model_data.cpp>")
