"""Before a build: writes the model's C++ beside the sources and sizes the core's arrays for it.

Called by PlatformIO (extra_scripts in platformio.ini). TINYOL_BUNDLE names a bundle; without it
the one that ships for the sensor's rate is taken. custom_more_sources names folders, relative to
the project's, whose .cpp files are built with the sketch.
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
MORE = environment.GetProjectOption("custom_more_sources", "").split()


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


def export_model() -> None:
    """Writes the files, and passes on the sizes."""
    command = [tinyol_command(), "model", "export", "--to", str(MODEL)]
    command += ["--rate-hz", environment.GetProjectOption("custom_sensor_hz")]
    if bundle := os.environ.get("TINYOL_BUNDLE"):
        command.append(str(Path(bundle).absolute()))
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(1)
    environment.ProcessFlags((MODEL / "model_flags.txt").read_text().split())
    environment.Append(CPPPATH=[str(MODEL)])


def build_more(sketch, node):  # type: ignore[no-untyped-def]
    """With the sketch's own environment, which alone knows where the libraries' headers are."""
    objects = Path(environment["PROJECT_BUILD_DIR"], environment["PIOENV"], "more")
    for folder in (MODEL, *(FIRMWARE / name for name in MORE)):
        sketch.BuildSources(str(objects / folder.name), str(folder), "+<*.cpp>")
    return node


# Unit tests are of the core alone.
if "test" not in environment["BUILD_TYPE"]:
    export_model()
    environment.AddBuildMiddleware(build_more, "*nano33ble*main.cpp")
