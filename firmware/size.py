"""What the core costs a board: static RAM of each part and code for the Cortex-M4.

    python firmware/size.py [--classes 8] [--features 5] [--hidden 32] [--inputs 40] [--ring 64]

RAM is read off the compiler's output for the capacities asked for: with arm-none-eabi-g++ the
board's own numbers, else those of this machine (pointers are longer there), and the table says
which. Code size needs the cross compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent
LIBRARIES = ("tinyol", "frozen")  # what every board has; TFLM's own size would drown tflm_net's
INCLUDES = tuple(f"lib/{name}/src" for name in LIBRARIES)
CROSS = "arm-none-eabi-g++"
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
FLAGS = (
    "-std=c++14",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-funsigned-char",
    "-ffunction-sections",
    "-fdata-sections",
)
SETTINGS_HEADER = "lib/tinyol/src/tinyol/settings.h"

# What each part is for, in the order of the table. `device` holds all of the core.
PARTS = {
    "running_stats": "running mean and variance",
    "softmax_head": "classifier's weights",
    "reconstruction_head": "fine-tuned layer's weights and biases",
    "metrics": "confusion matrix, running loss and error, quantiles",
    "class_table": "class names",
    "settings": "settings",
    "counters": "counters",
    "feature_ring": "feature vectors for late labels",
    "learner": "learner: all of the above and its buffers",
    "windower": "samples of the window under way",
    "window": "the window handed to the net",
    "model": "model: window settings and pointers into flash",
    "device": "device: learner, windower, window, model",
    "blob_net": "frozen net, without its arena",
}


def compiler() -> tuple[list[str], str]:
    """The compiler with its target flags, and what to call the target."""
    if shutil.which(CROSS):
        return [CROSS, *CORTEX_M4], "Cortex-M4F"
    if os.environ.get("CXX"):
        return os.environ["CXX"].split(), f"this machine ({sys.platform})"
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name], f"this machine ({sys.platform})"
    raise SystemExit("error: no C++ compiler here; install one, or run `make system-deps` as root")


def compile_file(command: Sequence[str], source: Path, output: Path, *extra: str) -> None:
    """Compiles one file; stops with the compiler's words if it cannot."""
    includes = [f"-I{FIRMWARE / folder}" for folder in INCLUDES]
    run = subprocess.run(
        [*command, *FLAGS, *includes, *extra, str(source), "-o", str(output)],
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise SystemExit(f"error: {source.name} does not compile:\n{run.stderr}")


def ram(command: Sequence[str], capacities: dict[str, int], folder: Path) -> dict[str, int]:
    """Bytes of each part, from the sizes of its objects in the assembler text."""
    macros = [f"-DTINYOL_MAX_{name.upper()}={value}" for name, value in capacities.items()]
    text = folder / "parts.s"
    compile_file(command, FIRMWARE / "size/parts.cpp", text, "-S", "-O1", *macros)
    sizes = re.findall(r"\.size\s+part_(\w+), (\d+)", text.read_text())
    return {name: int(size) for name, size in sizes}


def image_bytes(c: dict[str, int]) -> int:
    """The largest state image, as max_state_image_bytes() in state_image.cpp counts it."""
    k, d, hidden, outputs = c["classes"], c["features"], c["hidden"], c["inputs"]
    header = (FIRMWARE / SETTINGS_HEADER).read_text()
    settings = int(re.findall(r"kSettingCount = (\d+)", header)[0])
    envelope = 20 + 4 + 7 * 8
    layers = 24 + 4 * k * d + 24 + 4 * outputs * (hidden + 1)
    metrics = 20 + 3 * 44 + 4 * k * k
    rest = 28 + (4 + 8 * settings) + (4 + 16 * k) + (8 + 8 * d)
    return envelope + layers + metrics + rest


def code(optimize: str, folder: Path) -> dict[str, int]:
    """Bytes of code and constants of each source file for the Cortex-M4F."""
    sizes = {}
    sources = (path for name in LIBRARIES for path in FIRMWARE.glob(f"lib/{name}/src/*/*.cpp"))
    for source in sorted(sources):
        output = folder / f"{source.stem}.o"
        compile_file([CROSS, *CORTEX_M4], source, output, "-c", optimize)
        line = subprocess.run(
            ["arm-none-eabi-size", str(output)], capture_output=True, text=True, check=True
        ).stdout.splitlines()[1]
        text, data = (int(number) for number in line.split()[:2])
        sizes[source.relative_to(FIRMWARE / "lib").as_posix()] = text + data
    return sizes


def measure(capacities: dict[str, int]) -> dict[str, object]:
    """Everything that is printed, as JSON-able values; bytes throughout."""
    command, target = compiler()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, object] = {
            "capacities": capacities,
            "ram_target": target,
            "ram": ram(command, capacities, folder),
            "state_image": image_bytes(capacities),
        }
        if shutil.which(CROSS):
            result["code"] = {level: code(level, folder) for level in ("-Os", "-O2")}
    return result


def show(result: dict[str, object]) -> None:
    """Prints the tables."""
    capacities, sizes = result["capacities"], result["ram"]
    assert isinstance(capacities, dict)
    assert isinstance(sizes, dict)
    settings = ", ".join(f"{value} {name}" for name, value in capacities.items())
    print(f"Static RAM on {result['ram_target']} for {settings}, bytes")
    for part, meaning in PARTS.items():
        print(f"  {sizes[part]:>7,}  {meaning}")
    print(f"  {result['state_image']:>7,}  largest state image, and the staging to receive one")
    total = sizes["device"] + sizes["blob_net"]
    print(f"  {total:>7,}  in all, without the net's arena and without staging")
    tables = result.get("code")
    if not isinstance(tables, dict):
        print(f"\nCode for the Cortex-M4F: not measured, {CROSS} is not installed")
        return
    print("\nCode and constants for the Cortex-M4F, bytes (before the linker drops the unused)")
    print(f"  {'-Os':>7}  {'-O2':>7}")
    for name in tables["-Os"]:
        print(f"  {tables['-Os'][name]:>7,}  {tables['-O2'][name]:>7,}  {name}")
    print(f"  {sum(tables['-Os'].values()):>7,}  {sum(tables['-O2'].values()):>7,}  in all")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="RAM and code size of the core for a board.")
    for name, value in (
        ("classes", 8),
        ("features", 5),
        ("hidden", 32),
        ("inputs", 40),
        ("ring", 64),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    result = measure(arguments)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
