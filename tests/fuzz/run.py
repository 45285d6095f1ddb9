"""Fuzzes one target after the other: `make fuzz`.

    python tests/fuzz/run.py [--runs N] [TARGET...]

Begins with tests/fuzz/corpus and what earlier runs found (build/fuzz/grown). An input that breaks
something ends its target, and stays in build/fuzz; give it to the program whose name is printed to
see it again, and when it is mended keep it as tests/fuzz/corpus/TARGET/regression-WHAT. Readers are
in Python and some hundred times slower: they get a hundredth of the runs. Exits 1 where something
broke, or where clang has no libFuzzer.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz_targets import CORPUS, GROWN, INSTALL, TARGETS, build_fuzzer, fuzzing_compiler
from make_corpus import write_seeds
from reader_fuzzer import fuzz_reader
from readers import READERS

READER_SHARE = 100
BATCH = 5000  # runs of a reader between two lines


def fuzz(target: str, runs: int) -> bool:
    """Whether all of so many inputs were harmless."""
    fuzzer, grown = build_fuzzer(target), GROWN / target
    if not grown.is_dir():
        grown.mkdir(parents=True)
        write_seeds(target, grown)
    print(f"{target}: {runs} runs of {fuzzer}", flush=True)
    options = [
        f"-runs={runs}",
        f"-max_len={TARGETS[target].max_len}",
        f"-artifact_prefix={GROWN.parent}/{target}-",
        "-timeout=60",
        "-print_final_stats=1",
    ]
    command = [str(fuzzer), *options, str(grown), str(CORPUS / target)]
    return subprocess.run(command).returncode == 0


def fuzz_file_reader(name: str, runs: int) -> bool:
    """The same of a reader of files."""
    grown = GROWN / name
    grown.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error")
    began, done = time.monotonic(), 0
    while done < runs:
        inputs = [
            path.read_bytes() for folder in (CORPUS / name, grown) for path in folder.iterdir()
        ]
        with TemporaryDirectory() as scratch:
            found = fuzz_reader(name, inputs, min(BATCH, runs - done), done, Path(scratch))
        for data in found.kept:
            (grown / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        done += found.runs
        print(
            f"{name}: {done} runs, {found.places} places, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if found.broken is not None:
            data, how = found.broken
            kept = GROWN.parent / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
            kept.write_bytes(data)
            print(f"{kept} breaks it: {how}", flush=True)
            return False
    return True


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000_000, help="inputs a target")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=", ".join((*TARGETS, *READERS))
    )
    arguments = parser.parse_args()
    every = (*TARGETS, *READERS)
    if unknown := set(arguments.targets) - set(every):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(every)}")
    chosen = arguments.targets or every
    harmless = [
        fuzz_file_reader(name, max(1, arguments.runs // READER_SHARE))
        for name in chosen
        if name in READERS
    ]
    compiled = [name for name in chosen if name in TARGETS]
    if compiled and fuzzing_compiler() is None:
        sys.exit(f"no clang++ with libFuzzer: {INSTALL}")
    harmless += [fuzz(target, arguments.runs) for target in compiled]
    sys.exit(not all(harmless))


if __name__ == "__main__":
    main()
