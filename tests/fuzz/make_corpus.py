"""Makes the inputs that tests/test_fuzz.py runs: real sessions and images, grown by fuzzing.

    python tests/fuzz/make_corpus.py [--runs N] [TARGET...]

Writes tests/fuzz/corpus anew: what is there, what build/fuzz/grown holds (`make fuzz` leaves it)
and the seeds made here are fuzzed for N more runs. The seeds are kept, and the fewest of the others
that reach every place that any of them reaches. Needs clang with libFuzzer.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from access_seeds import access_seeds
from frame_seeds import frame_seeds
from fuzz_targets import CORPUS, GROWN, INSTALL, TARGETS, build_fuzzer, fuzzing_compiler
from image_seeds import image_seeds
from net_seeds import net_seeds
from reader_fuzzer import fuzz_reader
from reader_seeds import READER_SEEDS
from readers import READERS
from server_seeds import server_seeds

MOST_BYTES = 50_000  # of a reader's files, beside the seeds

SEEDS = {
    "server": lambda: server_seeds() + access_seeds(),
    "image": image_seeds,
    "frame": frame_seeds,
    "net": net_seeds,
}


def write_seeds(target: str, folder: Path) -> None:
    """The seeds of a target as files."""
    for number, seed in enumerate(SEEDS[target]()):
        (folder / f"seed-{number:02}").write_bytes(seed)


def make(target: str, runs: int) -> str:
    """Writes a target's corpus anew; says what became of it."""
    fuzzer, kept = build_fuzzer(target), CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        seeds, grown, fewest = (Path(scratch, name) for name in ("seeds", "grown", "fewest"))
        for folder in (seeds, fewest):
            folder.mkdir()
        write_seeds(target, seeds)
        # A copy, since `make fuzz` may be at work there.
        if (GROWN / target).is_dir():
            shutil.copytree(GROWN / target, grown)
        else:
            grown.mkdir()
        command = [str(fuzzer), f"-max_len={TARGETS[target].max_len}"]
        sources = [str(grown), str(seeds), str(kept)]
        if runs > 0:
            options = [f"-runs={runs}", f"-artifact_prefix={scratch}/"]
            if subprocess.run([*command, *options, *sources], capture_output=True).returncode != 0:
                sys.exit(f"{target}: an input breaks something; `make fuzz` says which and what")
        # How often a place is reached counts for the search, not for what is kept.
        options = ["-set_cover_merge=1", "-use_counters=0"]
        subprocess.run([*command, *options, str(fewest), *sources], check=True, capture_output=True)
        inputs = {path.read_bytes() for folder in (seeds, fewest) for path in folder.iterdir()}
    return keep(target, inputs)


def make_files(name: str, runs: int) -> str:
    """The same for a reader of files: the seeds, and what led further than any before it."""
    folders = [folder for folder in (CORPUS / name, GROWN / name) if folder.is_dir()]
    seeds = READER_SEEDS[name]()
    inputs = [path.read_bytes() for folder in folders for path in sorted(folder.iterdir())]
    with TemporaryDirectory() as scratch:
        found = fuzz_reader(name, seeds + sorted(inputs, key=len), runs, 0, Path(scratch))
        if found.broken is not None:
            sys.exit(f"{name}: an input breaks something; `make fuzz` says which and what")
        # The shortest of them that reach every place that any of them reaches.
        again = fuzz_reader(name, seeds + sorted(found.kept, key=len), 0, 0, Path(scratch))
    fewest: list[bytes] = []
    for data in sorted(again.kept, key=len):
        if sum(map(len, fewest)) + len(data) <= MOST_BYTES:
            fewest.append(data)
    return keep(name, {*seeds, *fewest})


def keep(target: str, inputs: set[bytes]) -> str:
    """Replaces the kept inputs, but for those that once broke something."""
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    for path in kept.iterdir():
        if not path.name.startswith("regression"):
            path.unlink()
    for number, data in enumerate(sorted(inputs, key=lambda data: (len(data), data))):
        (kept / f"{number:04}").write_bytes(data)
    return f"{target}: {len(inputs)} inputs, {sum(map(len, inputs))} bytes"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200_000, help="more runs before the merge")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=", ".join((*TARGETS, *READERS))
    )
    arguments = parser.parse_args()
    if fuzzing_compiler() is None:
        sys.exit(f"no clang++ with libFuzzer: {INSTALL}")
    for name in arguments.targets or (*TARGETS, *READERS):
        if name in READERS:
            print(make_files(name, arguments.runs // 100), flush=True)
        else:
            print(make(name, arguments.runs), flush=True)


if __name__ == "__main__":
    main()
