"""The same 100,000-window script ends in the same state image, whatever compiler built the core."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from native_build import N_JOBS, Compiler, build, compilers, sources_of_core
from small_replay import small_bundle

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import UNTIL_STOPPED, Twin

N_WINDOWS = 100_000
LEVELS = (("-O0",), ("-O2",), ("-O3",), ("-O3", "-march=native"))
SETTING_STEPS = {
    "classifier.learning_rate": (0.01, 0.05, 0.3, 3.0),
    "classifier.schedule": (0.0, 1.0, 2.0),
    "classifier.l2": (0.0, 0.001),
    "classifier.clip_norm": (0.0, 0.5),
    "reconstruction.learning_rate": (0.0005, 0.003, 2.0),
    "reconstruction.loss": (0.0, 1.0, 2.0, 3.0),
    "reconstruction.l2": (0.0, 0.0001),
    "statistics.horizon": (64.0, 16384.0),
}

Operation = tuple[int, bytes, Callable[[Twin], object]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle(max_classes=4)


def script_operations(hop: int) -> Iterator[Operation]:
    """Samples and commands: the bytes that script.cpp reads, and the same for a twin."""
    rng = np.random.default_rng(20)
    windows = 0
    number = 0
    while windows < N_WINDOWS:
        n = int(rng.integers(1, 3000))
        samples = (rng.standard_normal((n, 3)) * rng.uniform(0.01, 2.0)).astype(np.float32)
        if rng.random() < 0.2:
            bad = (np.nan, np.inf, -1e9)[rng.integers(3)]
            samples[rng.integers(n), rng.integers(3)] = bad
        yield 0, struct.pack("<I", n) + samples.tobytes(), lambda t, s=samples: t.feed(s)
        windows += n // hop
        for _ in range(rng.integers(1, 4)):
            number += 1
            yield command(rng, number)


def command(rng: np.random.Generator, number: int) -> Operation:
    """One command at random; some of them are refused, which is part of the script."""
    index, count = int(rng.integers(0, 5)), int(rng.integers(1, 200))

    def name(twin: Twin) -> str:
        return twin.classes[index] if index < twin.n_classes else "nobody"

    def add(twin: Twin) -> None:
        twin.add_class(f"c{number}")

    def rename(twin: Twin) -> None:
        twin.rename_class(name(twin), f"r{number}")

    def turn(twin: Twin) -> None:
        twin.set(setting, value)

    def reload(twin: Twin) -> None:
        twin.state = twin.state

    setting = str(rng.choice(list(SETTING_STEPS)))
    value = float(rng.choice(SETTING_STEPS[setting]))
    steps = UNTIL_STOPPED if count > 190 else count
    choices: list[tuple[float, Operation]] = [
        (4, (1, struct.pack("<I", number), add)),
        (1, (2, struct.pack("<II", index, number), rename)),
        (1, (3, struct.pack("<I", index), lambda t: t.remove_class(name(t)))),
        (6, (4, struct.pack("<II", index, count), lambda t: t.label(name(t), count))),
        (3, (5, struct.pack("<II", index, count), lambda t: t.label_back(name(t), count))),
        (
            4,
            (
                6,
                struct.pack("<I", steps),
                lambda t: t.fine_tune(None if steps == UNTIL_STOPPED else steps),
            ),
        ),
        (4, (7, struct.pack("<If", SETTINGS[setting].id, value), turn)),
        (0.2, (8, b"", lambda t: t.reset())),
        (1, (9, b"", lambda t: t.gap())),
        (0.5, (10, b"", reload)),
        (1, (11, b"", lambda t: t.undo())),
    ]
    weights = np.array([weight for weight, _ in choices])
    return choices[int(rng.choice(len(choices), p=weights / weights.sum()))][1]


@pytest.fixture(scope="module")
def script(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The script as a file, and the state image in which the installed twin ends."""
    twin = Twin(bundle)
    path = tmp_path_factory.mktemp("script") / "script.bin"
    with path.open("wb") as file:
        for operation, arguments, act in script_operations(bundle.pipeline.hop):
            file.write(bytes([operation]) + arguments)
            with suppress(DeviceError):
                act(twin)
    state = StateImage.from_bytes(twin.state).fields
    # Otherwise the script would prove little: it must have learned, and have been refused.
    assert state["counters.windows"] > 1000
    assert state["reconstruction.steps"] > 0
    assert state["softmax.steps"] > 0
    return path, twin.state


def run(binary: Path, bundle: Bundle, script: Path, folder: Path) -> bytes:
    """The state image in which a build of the core ends."""
    model, state = folder / f"{binary.name}.model", folder / f"{binary.name}.state"
    model.write_bytes(bundle.model_image)
    done = subprocess.run([binary, model, script, state], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return state.read_bytes()


def build_script(compiler: Compiler, *flags: str) -> Path:
    return build(compiler, "script", [*sources_of_core(), "tests/native/script.cpp"], flags)


def test_every_build_ends_in_the_same_state(
    bundle: Bundle, script: tuple[Path, bytes], tmp_path: Path
) -> None:
    if not compilers():
        pytest.skip("no C++ compiler")
    path, expected = script
    matrix = [(compiler, flags) for compiler in compilers() for flags in LEVELS]
    binaries = [build_script(compiler, *flags) for compiler, flags in matrix]
    with ThreadPoolExecutor(N_JOBS) as pool:
        images = list(pool.map(lambda b: run(b, bundle, path, tmp_path), binaries))
    differing = {
        f"{compiler.name} {' '.join(flags)}": StateImage.from_bytes(image).first_difference(
            StateImage.from_bytes(expected)
        )
        for (compiler, flags), image in zip(matrix, images, strict=True)
        if image != expected
    }
    assert differing == {}


def test_the_script_runs_clean_under_sanitizers(
    bundle: Bundle, script: tuple[Path, bytes], tmp_path: Path
) -> None:
    gcc = next((compiler for compiler in compilers() if compiler.name == "g++"), None)
    if gcc is None:
        pytest.skip("no g++, whose sanitizers need no further package")
    path, expected = script
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert run(build_script(gcc, *flags), bundle, path, tmp_path) == expected


def test_a_fused_build_is_noticed(
    bundle: Bundle, script: tuple[Path, bytes], tmp_path: Path
) -> None:
    """The test of the test: with fused multiply-adds the weights do differ."""
    gcc = next((compiler for compiler in compilers() if compiler.name == "g++"), None)
    has_fma = os.path.exists("/proc/cpuinfo") and " fma " in Path("/proc/cpuinfo").read_text()
    if gcc is None or not has_fma:
        pytest.skip("needs g++ and a CPU with fused multiply-add")
    path, expected = script
    fused = build_script(gcc, "-O3", "-march=native", "-ffp-contract=fast", "-DTINYOL_TEST_FUSED")
    assert run(fused, bundle, path, tmp_path) != expected
