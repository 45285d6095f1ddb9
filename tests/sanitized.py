"""Runs the tests on a twin that ASan and UBSan watch: `make test-sanitized`, `make test`.

    python tests/sanitized.py [--core] [PYTEST'S ARGUMENTS]

The twin's sources, and all else that native_build compiles, are built with both sanitizers; the
first fault ends the run with its report. Left out is what runs no such code (WITHOUT). Becomes
pytest, and exits as it does; 0 with a word of it where GCC's sanitizers are not installed. With
--core, as in `make test`, only CORE: what takes strangers' bytes apart, in two minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from native_build import REPO, SANITIZED, build, compilers

from tinyol_sim import _build

FARM = REPO / "build" / "sanitized"
# Before all else in the process: the runtimes, and what throws and is caught across them.
PRELOADED = ("libasan.so", "libubsan.so", "libstdc++.so.6")
OPTIONS = {
    # Python leaves much behind at its end, and several libraries here hold the core once each.
    "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
# Files of tests, and what they run instead of the host's build of the core.
WITHOUT = {
    "device": "a board, emulated if need be",
    "test_emu*": "the emulated board's own program",
    "test_cost.py": "the same",
    "test_size.py": "compilers for the board",
    "test_freestanding.py": "the same",
    "test_compilers.py": "every compiler here, each without sanitizers too",
    "test_fuzz*": "programs with sanitizers of their own, and readers in Python",
    "test_endurance.py": "the same, for minutes",
    "test_host_churn.py": "a process whose memory is measured",
    "test_twin_scale.py": "the same",
    "test_replay_memory.py": "the same",
    "test_evaluation*": "TensorFlow, which trains",
    "test_train*": "TensorFlow, which trains",
    "test_notebooks.py": "TensorFlow, for minutes",
    "test_ble_pace.py": "a clock",
    "test_completion.py": "a shell",
    "test_flash*": "the tools that build and upload, played by a script",
    "test_datasets.py": "the network's part of a download, played by a script",
}
# What --core runs.
CORE = (
    "test_attacks_[!hn]*",  # host and names are the client's
    "test_device_key.py",
    "test_frozen_kernels.py",
    "test_gatt_link.py",
    "test_head_sections.py",
    "test_net_blob.py",
    "test_recording_streams.py",
    "test_server.py",
    "test_server_access.py",
    "test_server_undo.py",
    "test_session_auth.py",
    "test_sgd.py",
    "test_simd_paths.py",
    "test_state_image.py",
    "test_state_store.py",
    "test_twin.py",
    "test_undo.py",
    "test_watch_sections.py",
)


def runtimes() -> str | None:
    """The libraries to preload; None without GCC or its sanitizers."""
    found = []
    for name in PRELOADED:
        command = ["g++", f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        if not Path(path).is_absolute():
            return None
        found.append(path)
    return ":".join(found)


def build_package() -> Path:
    """A folder to be found before the installed twin: the same package, on a sanitized core."""
    compiler = next(found for found in compilers() if found.name == "g++")
    library = build(compiler, "twin.so", _build.sources(), ("-O2", "-ffp-contract=off"))
    package = FARM / "tinyol_sim"
    shutil.rmtree(FARM, ignore_errors=True)
    package.mkdir(parents=True)
    for path in (REPO / "tinyol_sim").iterdir():
        if path.suffix != ".so":  # then tinyol_sim/_core.py loads the library below
            (package / path.name).symlink_to(path)
    (package / f"{_build.NATIVE}.so").symlink_to(library)
    return FARM


def main() -> int:
    """See the module's docstring."""
    preload = runtimes() if shutil.which("g++") else None
    if preload is None:
        print("no tests under ASan and UBSan: they need GCC and its sanitizers (`apt install g++`)")
        return 0
    arguments = sys.argv[1:]
    left_out = [f"--ignore-glob=*/tests/{pattern}" for pattern in WITHOUT]
    if "--core" in arguments:
        arguments.remove("--core")
        arguments += [str(path) for name in CORE for path in (REPO / "tests").glob(name)]
    os.environ[SANITIZED] = "1"  # for native_build, here and in the tests
    paths = {"PYTHONPATH": str(build_package()), "LD_PRELOAD": preload}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *left_out, *arguments]
    os.chdir(REPO)
    os.execve(sys.executable, command, {**os.environ, **paths, **OPTIONS})


if __name__ == "__main__":
    sys.exit(main())
