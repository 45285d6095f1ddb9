"""State images poisoned in many places at once, each number by itself within its limits."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from image_surgery import sections_of, with_section
from numpy.typing import NDArray
from poison import layout_of

from tinyol_sim.settings import SETTINGS

MOST = 2**32 - 1
Values = list[float]


def unpacked(image: bytes, tag: str) -> Values:
    """The fields of a section."""
    payload = dict(sections_of(image))[tag.encode()]
    return list(struct.unpack("<" + layout_of(tag, payload), payload))


def packed(image: bytes, tag: str, values: Values) -> bytes:
    """The image with these fields in a section."""
    payload = dict(sections_of(image))[tag.encode()]
    return with_section(image, tag.encode(), struct.pack("<" + layout_of(tag, payload), *values))


def _edited(image: bytes, tag: str, edit: Callable[[Values], None]) -> bytes:
    values = unpacked(image, tag)
    edit(values)
    return packed(image, tag, values)


def counters(image: bytes) -> Iterator[tuple[str, bytes]]:
    """As old as a state can be."""
    for samples in (1 << 60, (1 << 60) - 1, 2**32 - 1, 2**32):
        image_then = packed(image, "COUN", [samples, samples, MOST, MOST, MOST])
        yield f"COUN {samples} windows", image_then


def statistics(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Means and variances at their limits, of few and of many."""
    d = int(unpacked(image, "STAT")[0])
    for count in (1, 2, MOST):
        for mean in (1e13, -1e13, 0.0):
            for variance in (0.0, 1e-45, 1.1e-30, 1e30):
                values = [d, 0, count, *[mean] * d, *[variance] * d]
                yield f"STAT {count} {mean} {variance}", packed(image, "STAT", values)


def softmax(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Weights at their limit, of either sign."""
    head = 10  # fields before the weights
    for lessons in (0, MOST):
        for signs in ((1, 1), (1, -1), (-1, -1)):

            def edit(
                values: Values, lessons: int = lessons, signs: tuple[int, int] = signs
            ) -> None:
                n_in, n_out = int(values[0]), int(values[1])
                n = n_out * (n_in + 1)
                values[6:10] = [MOST] * 3 + [0]
                values[head : head + n] = [1e6 * signs[i % 2] for i in range(n)]
                values[head + n :] = [lessons] * n_out

            yield f"SOFT {lessons} {signs}", _edited(image, "SOFT", edit)


def gaussian(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Classes far away, flat as paper or as wide as the sky."""
    for lessons in (1, 9, 10, 11, 500, MOST):
        for mean in (1e15, -1e15):
            for spread in (1e-9, 1e31):
                for weight in (1e-6, 1e6):

                    def edit(
                        values: Values,
                        numbers: tuple[float, ...] = (lessons, weight, mean, spread),
                    ) -> None:
                        d, k = int(values[1]), int(values[2])
                        at = 7
                        values[0] = MOST
                        for _ in range(k):
                            values[at], values[at + 1] = numbers[0], numbers[1]
                            values[at + 2 : at + 2 + d] = [numbers[2]] * d
                            values[at + 2 + d : at + 2 + 2 * d] = [numbers[3]] * d
                            at += 2 + 2 * d
                            values[at : at + 11] = [0, 1, 2, 3, 4, 5, 0.0, 0.0, 0.0, 0.0, 0.0]
                            at += 11

                    yield (
                        f"GAUS {lessons} {mean} {spread} {weight}",
                        _edited(image, "GAUS", edit),
                    )


def reconstruction(image: bytes) -> Iterator[tuple[str, bytes]]:
    """A decoder that shouts, and least squares that are none."""
    for size in (1e6, -1e6):

        def edit(values: Values, size: float = size) -> None:
            values[6:10] = [MOST] * 4
            values[10:] = [size] * len(values[10:])

        yield f"RECO {size}", _edited(image, "RECO", edit)
    n = int(unpacked(image, "RLSP")[0])
    for diagonal in (1e-45, 1e-6, 1000.0):
        for other in (1000.0, -1000.0):
            rows = [diagonal if i == j else other for i in range(n) for j in range(i + 1)]
            yield f"RLSP {diagonal} {other}", packed(image, "RLSP", [n, 0, MOST, *rows])


def rehearsal(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Kept features a billion billions wide."""
    d, rows, _, k = (int(value) for value in unpacked(image, "REHE")[:4])
    for offset in (1e12, -1e12):
        for q in (127, 129):  # as u8: 127 and -127

            def edit(values: Values, offset: float = offset, q: int = q) -> None:
                values[5 : 5 + k] = [MOST] * k
                values[5 + k : 5 + k + d] = [offset] * d
                at = 5 + k + d
                values[at : at + d] = [40] * d
                values[at + d + rows : at + d + rows + rows * d] = [q] * rows * d

            yield f"REHE {offset} {q}", _edited(image, "REHE", edit)


def normal(image: bytes) -> Iterator[tuple[str, bytes]]:
    """What is normal, at and beyond what Cauchy and Schwarz allow."""
    quantile = [65535, 1, 2, 3, 4, 65535, 0.0, 0.0, 1e-45, 1e30, 1e30]
    for mean in (100.0, -100.0):
        for ee, ev, vv in ((0.0, 0.0099, 0.0), (0.0, -0.0099, 0.0), (4e4, 4e4, 4e4), (0, 0, 0)):
            for over, under, alarm in ((65535, 0, 1), (0, 65535, 0), (1, 0, 1)):
                numbers = [MOST, mean, mean, ee, ev, vv, *quantile]
                values = [*numbers, over, under, alarm, 0, 0, 0, MOST]
                yield f"NORM {mean} {ev} {over} {alarm}", packed(image, "NORM", values)

    usual = unpacked(image, "NORM")[1:3]
    for ev in (0.009999, -0.009999):  # as much as there may be of nothing, and then comes more
        values = [MOST, *usual, 0.0, ev, 0.0, *quantile, 0, 1, 0, 0, 0, 0, MOST]
        yield f"NORM of nothing {ev}", packed(image, "NORM", values)


def drift(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Gravity of ten thousand g, and sums at their end."""
    for gravity in (2e4, -2e4, 1e-45):
        for count in (1, 9, 65535):
            reference = [gravity] * 3
            values = [count, *reference, *[-gravity] * 3, MOST, 1e9, 1e9, 1, 1, 0]
            yield f"DRIF {gravity} {count}", packed(image, "DRIF", values)


def unknown(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Events at the end of their counts, and some that would lie in the future."""
    d = int(unpacked(image, "UNKN")[0])
    samples = int(unpacked(image, "COUN")[0])

    def section(count: int, windows: int, kept: int, stride: int, last: int, is_open: int) -> bytes:
        payload = struct.pack("<HHIHH4BQf", d, 1, count, 0, 0, is_open, 0, 0, 0, 0, 0.0)
        if count > 1:
            payload = struct.pack("<HHIHH4BQf", d, 2, count, 0, 0, is_open, 0, 0, 0, 0, 0.0)
            payload += struct.pack("<IQQIfBBHI", count - 1, 0, 0, 1, 0.0, 1, 0, 0, 1)
        payload += struct.pack("<IQQIfBBHI", count, 0, last, windows, 1e30, 0, 0, kept, stride)
        payload += np.full(kept * d, 1e15, "<f4").tobytes()
        return with_section(image, b"UNKN", payload)

    for is_open in (0, 1):
        for count in (1, 2, MOST - 1, MOST):
            yield f"UNKN number {count}", section(count, 1, 1, 1, samples - 1, is_open)
        for windows, kept, stride in (
            (MOST, 24, 1),
            (MOST, 0, 1),
            (MOST, 24, 1 << 28),
            (MOST, 1, 1 << 28),
            (24, 24, 2),
            (47, 24, 2),
            (48, 24, 2),
            (49, 24, 2),
            (24, 24, 1),
        ):
            image_then = section(1, windows, kept, stride, samples - 1, is_open)
            yield f"UNKN {windows} windows {kept} {stride}", image_then
        for last in (samples, samples + 1, (1 << 60) - 1, 2**64 - 1):
            yield f"UNKN last {last}", section(1, 1, 1, 1, last, is_open)
    for run in (samples, 1 << 60, 2**64 - 1):
        payload = struct.pack("<HHIHH4BQf", d, 0, 0, 1, 0, 0, 0, 0, 0, run, 0.0)
        yield f"UNKN run {run}", with_section(image, b"UNKN", payload)


def metrics(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Scores that were never scored."""
    k = int(unpacked(image, "METR")[0])
    for count in (0, 1, MOST):
        for mean in (0.0, 1e30):
            for heights in ([0.0] * 4 + [1e30], [1e30] * 5):
                for positions in ([1, 2, 3, 4, 65535], [1, 65532, 65533, 65534, 65535]):
                    quantile = [65535, *positions, *heights]
                    values = [k, 3, count, mean, count, mean, *quantile * 3, *[MOST] * k * k]
                    yield f"METR {count} {mean}", packed(image, "METR", values)


def settings(image: bytes, n: int = 60) -> Iterator[tuple[str, bytes]]:
    """Every setting at an end of its range, in n ways."""
    rng = np.random.default_rng(1)
    infos = list(SETTINGS.values())
    for i in range(n):
        ends = rng.integers(0, 2, len(infos)) if i > 1 else np.full(len(infos), i)

        def edit(values: Values, ends: NDArray[np.int64] = ends) -> None:
            for j, info in enumerate(infos):
                values[2 + 3 * j + 2] = info.maximum if ends[j] else info.minimum

        yield f"SETT {i}", _edited(image, "SETT", edit)


PARTS = (
    counters,
    statistics,
    softmax,
    gaussian,
    reconstruction,
    rehearsal,
    normal,
    drift,
    unknown,
    metrics,
    settings,
)


def composed(image: bytes) -> Iterator[tuple[str, bytes]]:
    """All of them, and then the last of each part upon one another."""
    everything = image
    for part in PARTS:
        yield from part(image)
        if part is not unknown:
            *_, (_, everything) = part(everything)
    yield "all at once", everything
