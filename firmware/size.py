"""What the core costs a board: static RAM of each part and code for the Cortex-M4.

    python firmware/size.py [--files] [--classes 8] [--features 8] [--hidden 32] [--inputs 40] ...

RAM is read off the compiler's output for the capacities asked for: with arm-none-eabi-g++ the
board's own numbers, else those of this machine (pointers are longer there), and the table says
which. Code size needs the cross compiler. Which source file belongs to which component is said in
size/components.json, and nowhere else; docs/memory.md has their bounds.
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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
LEVELS = ("-Os", "-O2")  # the first is what the board is built with
# Plain C++ in place of the loops that are written for the Cortex-M4.
PLAIN = "-DTINYOL_PLAIN_KERNELS"
SETTINGS_HEADER = "lib/tinyol/src/tinyol/settings.h"

# What can be asked for on the command line: its macro and what it is without.
CAPACITIES = {
    "classes": ("TINYOL_MAX_CLASSES", 8),
    "features": ("TINYOL_MAX_FEATURES", 8),
    "hidden": ("TINYOL_MAX_HIDDEN", 32),
    "inputs": ("TINYOL_MAX_INPUTS", 40),
    "ring": ("TINYOL_MAX_RING", 64),
    "rehearsal": ("TINYOL_MAX_REHEARSAL", 112),
    "rehearsal_windows": ("TINYOL_MAX_REHEARSAL_WINDOWS", 16),
    "full_covariance": ("TINYOL_FULL_COVARIANCE", 0),
}

# What each part is for, in the order of the table. `device` holds all that stands above it.
PARTS = {
    "running_stats": "running mean and variance",
    "softmax_head": "softmax head's weights",
    "rehearsal_buffer": "lessons that it rehearses, int8",
    "gaussian_head": "Gaussian head's means, covariances and limits",
    "classifier": "classifier: both heads and the rehearsal",
    "anomaly_detector": "anomaly detector: what is normal",
    "drift_monitor": "drift monitor",
    "unknown_events": "unknown events, with vectors of the last two",
    "reconstruction_head": "fine-tuned layer's weights and biases",
    "least_squares": "its inverse correlation, for recursive least squares",
    "window_rehearsal": "windows that it rehearses, int8",
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
    "server": "protocol server, its sessions included",
    "frame_parser": "frame under way on a serial line",
    "gatt_link": "message under way over Bluetooth",
    "state_store": "store of state images",
    "board_region": "the flash region's parts",
    "board_name": "the board's name",
    "device_key": "the board's key",
    "random_pool": "random numbers",
    "image_room": "room for a state image: one to receive it, one to undo",
}


@dataclass(frozen=True)
class Component:
    """One line of the table: source files, without .cpp, and what they keep in RAM."""

    name: str
    files: tuple[str, ...]
    ram: tuple[str, ...]  # of PARTS; "rest_of_device": what no other component has of it
    plain: bool = False  # it has loops for the Cortex-M4, and plain ones


def components() -> list[Component]:
    """Of size/components.json, in the order of the table."""
    entries = json.loads((FIRMWARE / "size/components.json").read_text())
    return [
        Component(each["name"], tuple(each["files"]), tuple(each["ram"]), each.get("plain", False))
        for each in entries
    ]


def sources() -> dict[str, Path]:
    """Every source file of the libraries, as Component.files calls it."""
    paths = (path for name in LIBRARIES for path in FIRMWARE.glob(f"lib/{name}/src/*/*.cpp"))
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(paths)}


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
    """Bytes of each part, from the sizes of its objects in the assembler text.

    capacities: by a name of CAPACITIES, or by macro.
    """
    macros = [f"-D{CAPACITIES.get(name, (name,))[0]}={value}" for name, value in capacities.items()]
    text = folder / "parts.s"
    compile_file(command, FIRMWARE / "size/parts.cpp", text, "-S", "-O1", *macros)
    sizes = re.findall(r"\.size\s+part_(\w+), (\d+)", text.read_text())
    return {name: int(size) for name, size in sizes}


def image_bytes(c: dict[str, int]) -> int:
    """The largest state image, as max_state_image_bytes() in state_image.cpp counts it."""
    k, d, hidden, outputs = c["classes"], c["features"], c["hidden"], c["inputs"]
    header = (FIRMWARE / SETTINGS_HEADER).read_text()
    settings = int(re.findall(r"kSettingCount = (\d+)", header)[0])
    spread = d * (d + 1) // 2 if c["full_covariance"] else d
    quantile = 44

    def padded(size: int) -> int:
        return -(-size // 4) * 4

    sections = {
        "COUN": 28,
        "SETT": 4 + 8 * settings,
        "CLAS": 4 + 16 * k,
        "STAT": 8 + 8 * d,
        "SOFT": 24 + 4 * k * (d + 2),
        "GAUS": 4 + 8 + k * (8 + 4 * (d + spread) + quantile),
        "REHE": padded(12 + 4 * k + 5 * d + c["rehearsal"] * (1 + d)),
        "RECO": 24 + 4 * outputs * (hidden + 1),
        "RLSP": 8 + 2 * (hidden + 1) * (hidden + 2),
        "REHW": padded(12 + c["rehearsal_windows"] * outputs),
        "NORM": 24 + quantile + 12,
        "DRIF": 44,
        "UNKN": 28 + 2 * (36 + 4 * 24 * d),
        "METR": 20 + 3 * quantile + 4 * k * k,
    }
    return 20 + 4 + sum(8 + size for size in sections.values())


def code(optimize: str, folder: Path, *extra: str, only: Iterable[str] = ()) -> dict[str, int]:
    """Bytes of code and constants of each source file for the Cortex-M4F.

    only: as Component.files calls them; none is all. The keys are paths below firmware/lib.
    """
    chosen = [path for name, path in sources().items() if not only or name in only]

    def one(source: Path) -> int:
        output = folder / f"{source.parent.name}-{source.stem}.o"
        compile_file([CROSS, *CORTEX_M4], source, output, "-c", optimize, *extra)
        line = subprocess.run(
            ["arm-none-eabi-size", str(output)], capture_output=True, text=True, check=True
        ).stdout.splitlines()[1]
        text, data = (int(number) for number in line.split()[:2])
        return text + data

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        sizes = pool.map(one, chosen)
    names = (path.relative_to(FIRMWARE / "lib").as_posix() for path in chosen)
    return dict(zip(names, sizes, strict=True))


def table(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The components' lines: name, "-Os", "-O2" (without the cross compiler neither) and ram."""
    sizes = dict(result["ram"])
    named = {part for each in components() for part in each.ram}
    in_device = named.intersection(list(PARTS)[: list(PARTS).index("device")])
    sizes["rest_of_device"] = sizes["device"] - sum(sizes[part] for part in in_device)
    lines: list[dict[str, Any]] = []
    for each in components():
        line = {"name": each.name, "ram": sum(sizes[part] for part in each.ram)}
        for level, found in result.get("code", {}).items():
            line[level] = sum(found[path] for path in map(_in_code, each.files))
        lines.append(line)
        if each.plain and "plain" in result:
            line = {"name": f"{each.name}, plain C++", "ram": None}
            for level, found in result["plain"].items():
                line[level] = sum(found[path] for path in map(_in_code, each.files))
            lines.append(line)
    total = {
        key: sum(line[key] for line in lines if line["ram"] is not None)
        for key in lines[0]
        if key != "name"
    }
    return [*lines, {"name": "In all", **total}]


def _in_code(file: str) -> str:
    return sources()[file].relative_to(FIRMWARE / "lib").as_posix()


def measure(capacities: dict[str, int]) -> dict[str, Any]:
    """Everything that is printed, as JSON-able values; bytes throughout."""
    command, target = compiler()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {
            "capacities": capacities,
            "ram_target": target,
            "ram": ram(command, capacities, folder),
            "state_image": image_bytes(capacities),
        }
        if shutil.which(CROSS):
            both = [file for each in components() if each.plain for file in each.files]
            result["code"] = {level: code(level, folder) for level in LEVELS}
            result["plain"] = {level: code(level, folder, PLAIN, only=both) for level in LEVELS}
    result["components"] = table(result)
    return result


def show(result: dict[str, Any], with_files: bool) -> None:
    """Prints the tables."""
    capacities, sizes = result["capacities"], result["ram"]
    settings = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in capacities.items())
    print(f"Static RAM on {result['ram_target']} for {settings}, bytes")
    for part, meaning in PARTS.items():
        print(f"  {sizes[part]:>7,}  {meaning}")
    print(f"  {result['state_image']:>7,}  largest state image")
    if "code" not in result:
        print(f"\nCode for the Cortex-M4F: not measured, {CROSS} is not installed")
        return
    print("\nCode and constants for the Cortex-M4F (before the linker drops the unused), and RAM")
    print(f"  {'-Os':>7}  {'-O2':>7}  {'RAM':>7}")
    for line in result["components"]:
        room = "" if line["ram"] is None else f"{line['ram']:,}"
        print(f"  {line['-Os']:>7,}  {line['-O2']:>7,}  {room:>7}  {line['name']}")
    print("RAM without the net's arena: that depends on the net.")
    if with_files:
        small, fast = (result["code"][level] for level in LEVELS)
        print(f"\n  {'-Os':>7}  {'-O2':>7}")
        for name in small:
            print(f"  {small[name]:>7,}  {fast[name]:>7,}  {name}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="RAM and code size of the core for a board.")
    for name, (_, value) in CAPACITIES.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=value, help=f"default {value}")
    parser.add_argument("--files", action="store_true", help="print each source file too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = vars(parser.parse_args())
    as_json, with_files = arguments.pop("json"), arguments.pop("files")
    result = measure(arguments)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        show(result, with_files)


if __name__ == "__main__":
    main()
