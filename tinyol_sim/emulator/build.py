"""Makes the emulated board's image of a model: compiles, links, and keeps the result.

The folder $XDG_CACHE_HOME/tinyol/emulator (~/.cache otherwise) holds images and object files by a
hash of all that goes into them, so that an image is made once. It may be deleted at any time.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..bundle import Bundle
from ..errors import EmulatorError
from .capacities import Capacities, arena_bytes_of, capacities_for
from .compilers import Compiler, find_compiler

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
INCLUDES = ("lib/tinyol/src", "lib/frozen/src", "boards/emulator")
LIBRARIES = ("lib/tinyol/src/tinyol", "lib/frozen/src/frozen")
BOARD = "boards/emulator"
# Each defines run_program(); with the files of BOARD that not every program has.
PROGRAMS = {
    "main": ("main.cpp", "linked_model.cpp"),
    "bench_main": ("bench_main.cpp", "linked_model.cpp"),
    "net_bench_main": ("net_bench_main.cpp", "linked_model.cpp"),
    "cost_main": ("cost_main.cpp", "cost_heads.cpp", "cost_tuning.cpp", "cost_watch.cpp"),
    "cost_access_main": ("cost_access_main.cpp",),
}
_TIMEOUT_S = 300


def cache_folder() -> Path:
    """Where images and object files are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "tinyol", "emulator")


def build_image(
    model: Bundle | bytes | None,
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    extra: Sequence[str] = (),
    program: str = "main",
    capacities: Mapping[str, int] | None = None,
    net: bytes | None = None,
) -> Path:
    """The ELF image of a model; made only if it is not there yet.

    Args:
        model: a bundle, or a model image's bytes; None for a program that has none. The build's
            arrays get exactly its sizes.
        compiler: "zig" or "gcc"; None takes the first that is installed.
        optimize: "-Os", "-O2", ...
        extra: more flags for every C++ file, behind the others.
        program: "main", the board; "bench_main", the benchmark of a model; "cost_main", that of
            the learning parts; "cost_access_main", that of authentication; "net_bench_main",
            that of a net.
        capacities: macros of tinyol/capacity.h, for a program without a model.
        net: a net blob instead of a model, for "net_bench_main".

    Raises:
        EmulatorError: no compiler, no sources, or the build failed, as for a model that is
            larger than the board.
    """
    model_image = model.model_image if isinstance(model, Bundle) else model
    tools = find_compiler(compiler)
    sizes = Capacities(dict(capacities or {}), 0)
    if model_image is not None:
        sizes = capacities_for(model_image)
    elif net is not None:
        model_image = net
        sizes = Capacities({}, arena_bytes_of(net))
    macros = (f"-D{name}={size}" for name, size in sizes.macros.items())
    flags = (*tools.compile_flags, optimize, *macros, *extra)
    inputs = hashlib.sha256(_source_hash())
    inputs.update("\0".join((_version(tools), *flags, *tools.link_flags)).encode())
    objects = cache_folder() / "objects" / inputs.hexdigest()[:32]
    inputs.update(program.encode() + b"\0" + (model_image or b""))
    image = cache_folder() / "images" / f"{inputs.hexdigest()[:32]}.elf"
    if image.exists():
        return image
    try:
        objects.mkdir(parents=True, exist_ok=True)
        image.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
            work = Path(scratch)
            files = _compile(tools, flags, program, objects, work)
            if model_image is not None:
                arena = sizes.arena_bytes
                files.append(_assemble_model(tools, model_image, arena, image.stem, work))
            _link(tools, files, image, work)
    except OSError as error:
        raise EmulatorError(f"the emulated board cannot be built: {error}") from None
    return image


def _compile(
    tools: Compiler, flags: tuple[str, ...], program: str, objects: Path, work: Path
) -> list[Path]:
    """The object files of all C++; those in `objects` are there already."""
    includes = [f"-I{FIRMWARE / folder}" for folder in INCLUDES]

    def compile_one(source: Path) -> Path:
        kept = objects / f"{source.parent.name}-{source.stem}.o"
        if not kept.exists():
            made = work / kept.name
            _run([*tools.program, *flags, *includes, "-c", str(source), "-o", str(made)], work)
            made.replace(kept)  # at once: another process may be building the same
        return kept

    sources = _sources(program)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, sources))


def _assemble_model(
    tools: Compiler, model_image: bytes, arena_bytes: int, name: str, work: Path
) -> Path:
    """The model image and its arena as an object file."""
    # A name of its own for each model: a compiler's own cache cannot know what .incbin reads.
    (work / f"{name}.bin").write_bytes(model_image)
    made = work / f"{name}.o"
    flags = [flag for flag in tools.compile_flags if not flag.startswith("-std=")]
    macros = [f'-DTINYOL_MODEL="{name}.bin"', f"-DTINYOL_ARENA_BYTES={arena_bytes}"]
    source = str(FIRMWARE / BOARD / "model.S")
    _run([*tools.program, *flags, *macros, "-c", source, "-o", str(made)], work)
    return made


def _link(tools: Compiler, files: list[Path], image: Path, work: Path) -> None:
    made = work / image.name
    script = ["-T", str(FIRMWARE / BOARD / "linker.ld")]
    options = [*script, "-Wl,--gc-sections", "-Wl,--entry=Reset_Handler"]
    _run([*tools.program, *tools.link_flags, *options, *map(str, files), "-o", str(made)], work)
    made.replace(image)


def _run(command: list[str], folder: Path) -> str:
    zig_cache = str(cache_folder() / "zig")
    environment = {"ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, **os.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise EmulatorError(f"{command[0]} took more than {_TIMEOUT_S} s") from None
    if done.returncode == 0:
        return done.stdout
    if "overflowed by" in done.stderr:
        raise EmulatorError(
            "the model is larger than the emulated board (4 MB flash, 4 MB RAM): "
            + _first_line(done.stderr, "overflowed by")
        )
    raise EmulatorError(
        f"{Path(command[0]).name} failed (exit {done.returncode}): "
        + _first_line(done.stderr, "error")
    )


def _first_line(text: str, word: str) -> str:
    lines = text.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if word in line), lines[-1]).strip()


def _sources(program: str) -> list[Path]:
    if program not in PROGRAMS:
        raise EmulatorError(f"no program {program!r}; it must be one of {', '.join(PROGRAMS)}")
    skipped = {name for files in PROGRAMS.values() for name in files}.difference(PROGRAMS[program])
    return [
        path
        for folder in (*LIBRARIES, BOARD)
        for path in sorted((FIRMWARE / folder).glob("*.cpp"))
        if path.name not in skipped
    ]


def _source_hash() -> bytes:
    """Of everything that is compiled, included or read by the linker."""
    folders = [FIRMWARE / folder for folder in (*LIBRARIES, BOARD)]
    for folder in folders:
        if not folder.is_dir():
            raise EmulatorError(
                f"the emulated board is built of the project's C++ sources; {folder} is missing"
            )
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.iterdir() if path.is_file()):
        digest.update(path.relative_to(FIRMWARE).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


@functools.cache
def _version(tools: Compiler) -> str:
    program = [*tools.program[:1], "version" if tools.name == "zig" else "--version"]
    cache_folder().mkdir(parents=True, exist_ok=True)
    return _run(program, cache_folder())
