"""A year of running in one evening: `make soak`. docs/endurance.md says what each part shows.

    python tests/endurance/soak.py [--windows N] [--days N] [PART...]

Parts: limits, clocks, quantile, churn, host, full, year; all of them unless some are named. Prints
what each has found, and exits 1 where something that must hold does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from endurance_programs import (
    SANITIZERS,
    build_program,
    model_file,
    run_program,
    sanitizing_compiler,
)
from host_churn import VISITS_IN_30_DAYS, live
from native_build import compilers

PER_LOOK = 1_000_000  # windows
QUANTILE_SAMPLES = 100_000_000
LOWEST_ACCURACY = 0.8  # over a million windows, whatever the settings of the day
SHOWN = ("mean", "variance", "centre", "covariance", "log_det", "normal", "running", "gravity")


def year(model: str, windows: int) -> dict[str, Any]:
    """The same year with each compiler, one beside the other."""
    programs = [build_program(compiler) for compiler in compilers()]
    image = model_file(model)
    with ThreadPoolExecutor(len(programs)) as pool:
        lives = list(
            pool.map(
                lambda program: run_program(program, "windows", image, windows, PER_LOOK),
                programs,
            )
        )
    looks = lives[0]
    if any(other != looks for other in lives):
        raise RuntimeError(f"{model}: two compilers have lived different years")
    lowest = min(look["accuracy"] for look in looks)
    if lowest < LOWEST_ACCURACY:
        raise RuntimeError(f"{model}: in one look only {lowest:.3f} of the states were told apart")
    return {
        "model": model,
        "windows": looks[-1]["windows"],
        "lessons": looks[-1]["lessons"],
        "steps": looks[-1]["steps"],
        "skipped": looks[-1]["skipped"],
        "compilers": [compiler.name for compiler in compilers()],
        "different states": 0,
        "strayed": {name: max(look[name] for look in looks) for name in SHOWN},
        "largest weight": max(look["largest_weight"] for look in looks),
        "accuracy, first and last look": [looks[0]["accuracy"], looks[-1]["accuracy"]],
        "accuracy, lowest": lowest,
        "faults seen, lowest": min(look["faults_seen"] for look in looks),
    }


def limits() -> dict[str, Any]:
    """Counters near every limit."""
    return run_program(build_program(compilers()[0]), "limits", model_file("shipped"))[0]


def quantile() -> list[dict[str, Any]]:
    """The running quantile, longer than it counts."""
    return run_program(build_program(compilers()[0]), "quantile", QUANTILE_SAMPLES)


def clocks() -> dict[str, Any]:
    """A 32-bit clock that wraps at any moment."""
    program = build_program(sanitizing_compiler(), SANITIZERS)
    spans = ((90, 60), (20, 1))
    told = [run_program(program, "clocks", model_file("small"), *span)[0] for span in spans]
    return {"clocks": sum(one["clocks"] for one in told), "different courses": 0}


def churn(days: int) -> dict[str, Any]:
    """The board's side of the link, under sanitizers."""
    program = build_program(sanitizing_compiler(), SANITIZERS)
    return run_program(program, "churn", model_file("small"), days)[0]


def host(days: int) -> dict[str, Any]:
    """The host's side."""
    visits = VISITS_IN_30_DAYS * days // 30
    found, first, last = asyncio.run(live(visits, visits // 10))
    if found.lost or found.doubled:
        raise RuntimeError(f"commands lost or doubled: {found}")
    if (first.tasks, first.files) != (last.tasks, last.files):
        raise RuntimeError(f"tasks or files pile up: {first}, then {last}")
    return {**asdict(found), "after a tenth": asdict(first), "at the end": asdict(last)}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, default=100_000_000, help="of a year")
    parser.add_argument("--days", type=int, default=30, help="of link churn")
    parser.add_argument("parts", nargs="*", metavar="PART")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "limits": limits,
        "clocks": clocks,
        "quantile": quantile,
        "churn": lambda: churn(arguments.days),
        "host": lambda: host(arguments.days),
        "full": lambda: year("full", arguments.windows // 4),
        "year": lambda: year("shipped", arguments.windows),
    }
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    if not compilers():
        sys.exit("no C++ compiler: neither g++ nor clang++ nor the package ziglang")
    for name in arguments.parts or parts:
        try:
            print(name, json.dumps(parts[name]()), flush=True)
        except RuntimeError as error:
            sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
