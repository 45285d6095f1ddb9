"""One long life of a device, window by window, against answers kept as files.

tests/native/life.cpp is compiled as somebody's sketch would be: in GNU mode and without the flag
that forbids fused multiply-adds, so that the sources alone must see to it. The twin lives the same
life. Where the answers change on purpose, raise kArithmeticVersion (tinyol/image.h,
tinyol_sim/model_image.py) and write new ones: python tests/test_known_answers.py
"""

from __future__ import annotations

import json
import subprocess
import zlib
from functools import cache
from pathlib import Path

import life_in_python
import pytest
from native_build import Compiler, build, compilers, sources_of_core
from small_models import float_bundle, float_net, int8_bundle

VECTORS = Path(__file__).parent / "vectors"
ANSWERS = VECTORS / "life.json"
MODELS = ("int8", "float32")
# Exactly the size of the vectors' models: capacities must not matter.
CAPACITIES = {
    "TINYOL_MAX_CLASSES": 16,
    "TINYOL_MAX_FEATURES": 6,
    "TINYOL_MAX_HIDDEN": 5,
    "TINYOL_MAX_INPUTS": 8,
    "TINYOL_MAX_RING": 64,
}
SKETCH = "-std=gnu++14"
LEVELS = {"O2": ("-O2", SKETCH), "native": ("-O3", "-march=native", SKETCH)}


def model_path(name: str) -> Path:
    return VECTORS / f"life-{name}.model"


@cache
def answers() -> dict[str, list[str]]:
    """Per model: windows, CRC over all that came out on the way, CRC of the last state."""
    found: dict[str, list[str]] = json.loads(ANSWERS.read_text())
    return found


def run_life(compiler: Compiler, *flags: str) -> dict[str, list[str]]:
    """Per model the lines that the compiled program prints."""
    sources = [*sources_of_core(), "tests/native/life.cpp"]
    program = build(compiler, "life", sources, flags, CAPACITIES)
    lines = {}
    for name in MODELS:
        command = [program, model_path(name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        lines[name] = done.stdout.splitlines()
    return lines


def lines_of(outcome: life_in_python.Outcome) -> list[str]:
    state_crc = zlib.crc32(outcome.state[:-4])
    return [f"{outcome.n_windows} windows", f"{outcome.crc:08x}", f"{state_crc:08x}"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["g++", "clang++", "zig"])
def test_a_sketch_has_the_same_bits(name: str, level: str) -> None:
    compiler = next((c for c in compilers() if c.name == name), None)
    if compiler is None:
        pytest.skip(f"{name} is not installed")
    for model, lines in run_life(compiler, *LEVELS[level]).items():
        assert lines[:3] == answers()[model]
        image = bytes.fromhex(lines[3])
        assert f"{zlib.crc32(image[:-4]):08x}" == lines[2]


def test_without_the_sources_objection_gcc_would_fuse() -> None:
    """The test of the test above: the same flags, the pragma taken away."""
    gcc = next((c for c in compilers() if c.name == "g++"), None)
    if gcc is None or not _has_fma(gcc):
        pytest.skip("needs g++ and a CPU with fused multiply-add")
    for model, lines in run_life(gcc, *LEVELS["native"], "-DTINYOL_TEST_FUSED").items():
        assert lines[:3] != answers()[model]


def _has_fma(compiler: Compiler) -> bool:
    command = [*compiler.command, "-march=native", "-dM", "-E", "-x", "c++", "-"]
    done = subprocess.run(command, input="", capture_output=True, text=True)
    return "__FMA__" in done.stdout or "__ARM_FEATURE_FMA" in done.stdout


@pytest.mark.parametrize("model", MODELS)
def test_the_twin_has_the_same_bits(model: str) -> None:
    outcome = life_in_python.live(model_path(model).read_bytes())
    assert lines_of(outcome) == answers()[model]
    # The life does meet what it is there for.
    assert outcome.n_windows >= 100_000
    assert life_in_python.N_BLOCKS // 2 < outcome.accepted < life_in_python.N_BLOCKS
    at_least = {
        "gaps": 50,
        "refused_samples": 20,
        "classifier_steps": 5000,
        "classifier_over_limit": 100,
        "reconstruction_steps": 5000,
        "reconstruction_over_limit": 50,
        "clamped_targets": 1000,
    }
    for name, least in at_least.items():
        assert outcome.largest[name] >= least, name
    assert min(outcome.notices.values()) >= 1, outcome.notices
    assert outcome.unknown >= 1000


def write_vectors() -> None:
    """Writes models that are missing, and the answers of the installed twin."""
    bundles = {
        "int8": int8_bundle(hop=1),
        "float32": float_bundle(float_net(), hop=1, covariance="full"),
    }
    for name, bundle in bundles.items():
        if not model_path(name).exists():
            model_path(name).write_bytes(bundle.model_image)
    found = {name: lines_of(life_in_python.live(model_path(name).read_bytes())) for name in MODELS}
    ANSWERS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    write_vectors()
