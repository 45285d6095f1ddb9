"""The two libraries as others take them: their metadata, and the sketches in examples/."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_build import REPO, any_compiler, build, sources_of_core
from numpy.typing import NDArray

from tinyol_sim import _build
from tinyol_sim.bundle import default_bundle
from tinyol_sim.c_arrays import FLAGS_FILE, write_c_arrays
from tinyol_sim.emulator.capacities import capacities_for
from tinyol_sim.synth import synthesize
from tinyol_sim.twin import Twin

LIBRARIES = {"tinyol": REPO / _build.CORE.parent, "frozen": REPO / _build.FROZEN.parent}
# Arduino's names stand in one list with everybody's; platformio.ini knows a library by its folder.
NAMES = {"tinyol": ("tinyol", "TinyOL"), "frozen": ("frozen", "TinyOL_Frozen")}
STUBS = REPO / "tests" / "stubs" / "sketch"
SKETCHES = sorted(path for root in LIBRARIES.values() for path in root.glob("examples/*/*.ino"))
STRICT = ["-std=c++14", "-Wall", "-Wextra", "-Werror"]
ARM = shutil.which("arm-none-eabi-g++")
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
CORTEX_M4 += ["-fno-exceptions", "-fno-rtti", "-funsigned-char", "-Os", "-c"]
CORTEX_M4 += ["-std=gnu++11"]  # as some of Arduino's cores still have it
MOST_LINES = 120
CATEGORIES = {
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing",
    "Data Storage", "Data Processing", "Other",
}  # fmt: skip
GRAVITY = np.array([0.0, 0.0, 1.0])
Samples = NDArray[np.float32]


# --- metadata ----------------------------------------------------------------------------------


def manifest(library: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((LIBRARIES[library] / "library.json").read_text())
    return loaded


def properties(library: str) -> dict[str, str]:
    lines = (LIBRARIES[library] / "library.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def of_project(field: str) -> str:
    text = (REPO / "pyproject.toml").read_text()
    (value,) = re.findall(rf'^{field} = "(.+)"$', text, re.MULTILINE)
    return str(value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_both_manifests_say_the_same(library: str) -> None:
    pio, arduino = manifest(library), properties(library)
    assert (pio["name"], arduino["name"]) == NAMES[library]
    assert pio["version"] == arduino["version"] == of_project("version")
    assert pio["license"] == of_project("license")
    assert pio["description"] == arduino["sentence"]
    assert pio["headers"] == arduino["includes"]
    assert [author["name"] for author in pio["authors"]] == [arduino["author"]]
    depends = [name for name in arduino.get("depends", "").split(",") if name]
    assert [NAMES[need["name"]][1] for need in pio.get("dependencies", [])] == depends
    assert (LIBRARIES[library] / "src" / pio["headers"]).is_file()


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_properties_are_of_arduinos_format(library: str) -> None:
    found = properties(library)
    required = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category")
    for field in (*required, "url", "architectures"):
        assert found[field].strip() == found[field] != ""
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", found["name"])
    assert not found["name"].lower().startswith("arduino")
    assert found["category"] in CATEGORIES
    assert not found["paragraph"].startswith(found["sentence"])  # they are shown together


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_json_lists_every_example(library: str) -> None:
    root = LIBRARIES[library]
    listed = {example["base"]: set(example["files"]) for example in manifest(library)["examples"]}
    there = {
        folder.relative_to(root).as_posix(): {path.name for path in folder.iterdir()}
        for folder in root.glob("examples/*")
    }
    assert listed == there


def test_a_needed_version_is_the_one_that_is_there() -> None:
    (needed,) = manifest("frozen")["dependencies"]
    assert needed["version"] == "^" + manifest(needed["name"])["version"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_keywords_are_words_of_the_headers(library: str, tmp_path: Path) -> None:
    text = (LIBRARIES[library] / "keywords.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    words: dict[str, list[str]] = {kind: [] for kind in ("KEYWORD1", "KEYWORD2", "LITERAL1")}
    for line in lines:
        word, kind = line.split("\t")
        words[kind].append(word)
    for found in words.values():
        assert found == sorted(set(found), key=lambda word: (word.lower(), word))
    headers = "".join(path.read_text() for path in (LIBRARIES[library] / "src").rglob("*.h"))
    code = re.sub(r"//.*", "", headers)
    for method in words["KEYWORD2"]:
        assert re.search(rf"\b{method}\(", code), method
    # Types and constants: a compiler finds each through the header that a sketch includes.
    space = "tinyol" if library == "tinyol" else "tinyol::frozen"
    names = [*words["KEYWORD1"], *words["LITERAL1"]]
    source = tmp_path / "words.cpp"
    source.write_text(
        f"#include <{manifest(library)['headers']}>\n"
        + "".join(f"using {space}::{name};\n" for name in names)
    )
    compile_cpp(source, tmp_path, "-fsyntax-only")


# --- examples ----------------------------------------------------------------------------------


def compile_cpp(source: Path, folder: Path, *flags: str, command: tuple[str, ...] = ()) -> None:
    includes = [f"-I{path / 'src'}" for path in LIBRARIES.values()] + [f"-I{folder}", f"-I{STUBS}"]
    chosen = command or any_compiler().command
    done = subprocess.run(
        [*chosen, *STRICT, *includes, str(source), *flags], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def sketch_in(folder: Path, ino: Path) -> tuple[Path, list[str]]:
    """The sketch as Arduino compiles it, with what its comment tells to put beside it; flags."""
    flags: list[str] = []
    for path in ino.parent.glob("*.h"):
        shutil.copy(path, folder)
    if "model_data.h" in ino.read_text():
        write_c_arrays(default_bundle(119.0), folder)
        flags = (folder / FLAGS_FILE).read_text().split()
    source = folder / f"{ino.stem}.cpp"
    source.write_text(f'#include <Arduino.h>\n#line 1 "{ino}"\n{ino.read_text()}')
    return source, flags


@pytest.mark.parametrize("ino", SKETCHES, ids=lambda path: path.stem)
def test_example_is_short_and_compiles(ino: Path, tmp_path: Path) -> None:
    assert ino.parent.name == ino.stem  # or Arduino does not open it
    for path in ino.parent.iterdir():
        assert len(path.read_text().splitlines()) < MOST_LINES
    source, flags = sketch_in(tmp_path, ino)
    compile_cpp(source, tmp_path, "-fsyntax-only", *flags)
    compile_cpp(source, tmp_path, "-fsyntax-only", "-std=c++20", *flags)
    if ARM is None:
        return
    compiled = tmp_path / "sketch.o"
    compile_cpp(source, tmp_path, *CORTEX_M4, *flags, "-o", str(compiled), command=(ARM,))
    claim = re.search(r"([\d.]+) KB of RAM", ino.read_text())
    if claim is not None:
        most = 1024 * float(claim[1])
        assert 0.9 * most < ram_of(compiled) <= most


def ram_of(compiled: Path) -> int:
    """Its variables, in bytes."""
    size = subprocess.run(
        [str(ARM).replace("g++", "size"), str(compiled)], capture_output=True, text=True, check=True
    )
    _, data, bss = size.stdout.splitlines()[1].split()[:3]
    return int(data) + int(bss)


class Board:
    """Links sketches with the core and the stub of a board, and runs them on lines of input."""

    def __init__(self, folder: Path) -> None:
        # In the sizes of the shipped model, so that its sketch runs on the same core.
        sizes = capacities_for(default_bundle(119.0).model_image).macros
        self.core = build(any_compiler(), "libtinyol.so", sources_of_core(), [], sizes)
        self.flags = [f"-D{name}={value}" for name, value in sizes.items()]
        self.stub = folder / "sketch.o"
        compile_cpp(STUBS / "sketch.cpp", folder, "-c", "-o", str(self.stub))

    def run(self, name: str, folder: Path, lines: list[str]) -> list[str]:
        """What the sketch prints on these lines (tests/stubs/sketch/sketch.cpp)."""
        program = folder / name
        if not program.exists():
            (ino,) = [path for path in SKETCHES if path.stem == name]
            source, _ = sketch_in(folder, ino)
            linked = [*map(str, folder.glob("model_data.cpp")), str(self.stub), str(self.core)]
            linked += [f"-Wl,-rpath,{self.core.parent}", "-o", str(program)]
            compile_cpp(source, folder, *self.flags, *linked)
        done = subprocess.run(
            [str(program)],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "STUB_FLASH": str(folder / "flash.bin")},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(tmp_path_factory.mktemp("board"))


def xyz(samples: Samples) -> list[str]:
    return [" ".join(f"{value:.9g}" for value in sample) for sample in samples]


def still(n: int, seed: int = 0) -> list[str]:
    noise = np.random.default_rng(seed).normal(0, 0.002, (n, 3))
    return xyz((noise + GRAVITY).astype(np.float32))


def shaken(n: int, seed: int = 0) -> list[str]:
    noise = np.random.default_rng(seed).normal(0, 0.02, (n, 3))
    wave = 0.3 * np.sin(2 * np.pi * 17 / 119 * np.arange(n))
    return xyz((noise + wave[:, None] + GRAVITY).astype(np.float32))


def test_own_net_learns_names_as_they_are_typed(tmp_path: Path, board: Board) -> None:
    lines = ["> still", *still(600), "> shaken", *shaken(600)]
    lines += ["> still", *still(600, 1), "> shaken", *shaken(600, 1)]
    lines += ["> ?", *still(320, 2), *shaken(320, 2), "> undo", *still(320, 3)]
    printed = board.run("own_net", tmp_path, lines)
    form = r"error \d+\.\d mg(, (still|shaken) \d+ %|, unknown)?(, learned as (still|shaken))?"
    assert all(re.fullmatch(form, line) for line in printed)
    assert len(printed) == 189 + 19  # 3,040 samples, and 320 after a new start
    assert re.fullmatch(r"error [12]\.\d mg, still \d+ %, learned as still", printed[20])
    guesses = printed[149:189]  # the first of each kind still has samples of the other
    for kind, of_kind in (("still", guesses[2:20]), ("shaken", guesses[-18:])):
        said = [line.split()[3] for line in of_kind]
        assert set(said) <= {kind, "unknown"}
        assert said.count(kind) >= 14  # after so few lessons its reach is a rough one
    assert not any("learned" in line for line in guesses)
    assert re.fullmatch(r"error \S+ mg", printed[-1])


def test_own_net_says_what_it_refuses(tmp_path: Path, board: Board) -> None:
    lines = [f"> class{i}" for i in range(9)] + ["> a name that is too long"]
    printed = board.run("own_net", tmp_path, [*lines, *still(1)])
    assert printed == ["refused: classes, status -2", "refused: class name, status -5"]


def test_softmax_only_learns_what_it_is_taught(tmp_path: Path, board: Board) -> None:
    rng = np.random.default_rng(0)

    def block(loud: bool) -> list[str]:
        return [str(int(x)) for x in np.clip(rng.normal(512, 90 if loud else 4, 128), 0, 1023)]

    lines: list[str] = []
    for i in range(40):
        lines += [f". {1 + i % 2}", *block(i % 2 == 1)]
    lines += [". 0", *block(False), *block(True), *block(False)]
    printed = board.run("softmax_only", tmp_path, lines)
    assert len(printed) == 43
    assert all(re.fullmatch(r"class [1-4], \d+ %(, learned as [12])?", line) for line in printed)
    assert all(line.endswith(f", learned as {1 + i % 2}") for i, line in enumerate(printed[:40]))
    assert [line.split(",")[0] for line in printed[40:]] == ["class 1", "class 2", "class 1"]


def blocks_of_readings(seed: int, loudness: float, n: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [str(int(x)) for x in np.clip(rng.normal(512, loudness, 128 * n), 0, 1023)]


def test_never_forget_keeps_what_it_was_taught_first(tmp_path: Path, board: Board) -> None:
    """Classes taught once, one after the other; then one that nobody taught, and a new start."""
    lines: list[str] = []
    for seed, (key, loudness) in enumerate({"1": 4.0, "2": 90.0, "3": 25.0}.items()):
        lines += [f". {key}", *blocks_of_readings(seed, loudness, 150)]
    lines += [". 0", *blocks_of_readings(4, 4.0, 40), *blocks_of_readings(5, 90.0, 40)]
    lines += blocks_of_readings(6, 220.0, 20)  # louder than anything
    lines += [". 3r", *blocks_of_readings(7, 220.0, 150)]
    lines += [". 0", *blocks_of_readings(8, 220.0, 40)]
    printed = board.run("never_forget", tmp_path, lines)
    assert printed[0] == "nothing was taught yet, learned as 1"
    learned = [line.split(", ")[-1] for line in printed[:450]]
    assert learned == [f"learned as {1 + i // 150}" for i in range(450)]
    said = [line.split(",")[0] for line in printed[450:]]
    # 5 % of what belongs to a class may look unknown.
    assert said[:40].count("class 1") >= 34
    assert said[40:80].count("class 2") >= 34
    new = r"unknown: (\d+\.\d) times as far as any class reaches"
    assert all((found := re.fullmatch(new, line)) and float(found[1]) > 1 for line in said[80:100])
    assert said[-40:].count("class 3") >= 34


def test_keep_learned_knows_after_a_power_cut_what_it_learned(tmp_path: Path, board: Board) -> None:
    lines = 2 * [". 0", *still(250), ". 1", *shaken(250)]
    printed = board.run("keep_learned", tmp_path, lines)
    assert printed[0] == "nothing restored: saved state"
    saved = [line for line in printed if line.startswith("saved")]
    assert len(saved) == 4
    assert all(re.fullmatch(r"saved: \d{3,4} bytes", line) for line in saved)
    again = board.run("keep_learned", tmp_path, [*still(250), *shaken(250)])
    assert again[0] == "restored: 2 classes, 80 lessons"
    assert all(re.fullmatch(r"class [01], \d+ %", line) for line in again[1:])
    assert (again[1][:7], again[-1][:7]) == ("class 0", "class 1")
    assert not any(line.startswith("saved") for line in again)  # nothing was learned


def test_exported_model_gives_the_twins_errors(tmp_path: Path, board: Board) -> None:
    samples = synthesize("normal", 8.0).samples
    twin = Twin(default_bundle(119.0))
    half = len(samples) // 2
    expected = [*twin.feed(samples[:half]).tuned_error]
    twin.fine_tune(300)
    tuned = twin.feed(samples[half:])
    lines = [*xyz(samples[:half]), ". t", *xyz(samples[half:])]
    printed = board.run("exported_model", tmp_path, lines)
    assert [line.split(",")[0] for line in printed[: len(expected)]] == [
        f"error {error:.5f}" for error in expected
    ]
    assert len(printed) == len(expected) + len(tuned.error)
    last = printed[-1].split(",")[:2]
    assert last == [
        f"error {tuned.tuned_error[-1]:.5f}",
        f" before fine-tuning {tuned.error[-1]:.5f}",
    ]
