"""Fuzzes one target after the other: `make fuzz`.

    python tests/fuzz/run.py [--runs N] [TARGET...]

Begins with tests/fuzz/corpus and what earlier runs found (build/fuzz/grown). An input that breaks
something ends it, and stays in build/fuzz; give it to the program whose name is printed to see it
again. Exits 1 then, and where clang has no libFuzzer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz_targets import CORPUS, GROWN, INSTALL, MAX_LEN, TARGETS, build_fuzzer, fuzzing_compiler
from make_corpus import write_seeds


def fuzz(target: str, runs: int) -> bool:
    """Whether all of so many inputs were harmless."""
    fuzzer, grown = build_fuzzer(target), GROWN / target
    if not grown.is_dir():
        grown.mkdir(parents=True)
        write_seeds(target, grown)
    print(f"{target}: {runs} runs of {fuzzer}", flush=True)
    options = [
        f"-runs={runs}",
        f"-max_len={MAX_LEN[target]}",
        f"-artifact_prefix={GROWN.parent}/{target}-",
        "-timeout=60",
        "-print_final_stats=1",
    ]
    command = [str(fuzzer), *options, str(grown), str(CORPUS / target)]
    return subprocess.run(command).returncode == 0


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000_000, help="inputs a target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if fuzzing_compiler() is None:
        sys.exit(f"no clang++ with libFuzzer: {INSTALL}")
    harmless = [fuzz(target, arguments.runs) for target in arguments.targets or TARGETS]
    sys.exit(not all(harmless))


if __name__ == "__main__":
    main()
