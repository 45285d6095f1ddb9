"""The kept inputs of the fuzz targets, and some fresh ones: `make fuzz` looks for more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fuzz_targets import (
    CORPUS,
    INSTALL,
    TARGETS,
    build_fuzzer,
    build_replay,
    fuzzing_compiler,
)
from native_build import compilers

FRESH_RUNS = 10_000
TIMEOUT_S = 600


def run(command: list[str | Path]) -> str:
    """What it prints; the test fails with that if an input breaks something."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        pytest.fail(f"{command[0]}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_break_nothing(target: str) -> None:
    inputs = sorted((CORPUS / target).iterdir())
    assert len(inputs) > 50
    compiler = next((found for found in compilers() if found.name in ("g++", "clang++")), None)
    if compiler is None:
        pytest.skip("no compiler with sanitizers: neither g++ nor clang++")
    assert f"{len(inputs)} inputs" in run([build_replay(target, compiler), *inputs])


@pytest.mark.parametrize("target", TARGETS)
def test_fresh_inputs_break_nothing(target: str, tmp_path: Path) -> None:
    if fuzzing_compiler() is None:
        pytest.skip(f"no clang++ with libFuzzer: {INSTALL}")
    options = [
        f"-runs={FRESH_RUNS}",
        "-seed=1",
        f"-max_len={TARGETS[target].max_len}",
        f"-artifact_prefix={tmp_path}/",
    ]
    # What it finds goes to the first folder.
    found = tmp_path / "found"
    found.mkdir()
    said = run([build_fuzzer(target), *options, found, CORPUS / target])
    assert f"Done {FRESH_RUNS} runs" in said


def test_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 1_300_000
