"""The twin alone at one job, for a profiler: inference and learning, a window after every sample.

    python -m tinyol_sim.benchmark.one_feed [shipped|paper] [SECONDS]

under `perf record`, or `valgrind --tool=callgrind --toggle-collect=tinyol_twin_feed`. Prints the
windows and the processor time that they took.
"""

from __future__ import annotations

import sys
import time

from ..bundle import Bundle, default_bundle
from ..twin import Twin
from .jobs import window_job
from .paper_bundle import at_hop, paper_bundle

VARIANTS = ("shipped", "paper")


def one_feed(variant: str, seconds: float) -> tuple[int, float]:
    """The number of windows, and the processor time in s; see the module's docstring.
    Raises:
        DeviceError: too few seconds for a window.
    """
    shipped = default_bundle(119.0)
    bundle: Bundle = paper_bundle(shipped, hop=1) if variant == "paper" else at_hop(shipped, 1)
    job = window_job(shipped, seconds)
    twin = Twin(bundle)
    for k in range(job.n_classes):
        twin.add_class(f"class {k}")
    start = time.process_time()
    windows = twin.feed(job.samples, job.labels)
    return len(windows), time.process_time() - start


USAGE = f"one_feed [{'|'.join(VARIANTS)}] [SECONDS, 1 to 1000000]"


def main(arguments: list[str]) -> int:
    """See the module's docstring; 2 on wrong usage."""
    variant, *rest = arguments or ["shipped"]
    try:
        seconds = float(rest[0]) if rest else 3600.0
    except ValueError:
        seconds = 0.0
    if variant not in VARIANTS or len(rest) > 1 or not 1 <= seconds <= 1e6:
        print(f"usage: {USAGE}", file=sys.stderr)
        return 2
    n, took = one_feed(variant, seconds)
    print(f"{variant}: {n} windows, {took:.3f} s, {1e6 * took / n:.3f} us each")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
