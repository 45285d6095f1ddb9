"""Where a net's tensors lie in the arena: those that are never alive together share memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WORD_BYTES = 4


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `n_bytes`, alive from step `first` to step `last`, both included."""

    n_bytes: int
    first: int
    last: int


def padded_to_word(n_bytes: int) -> int:
    """`n_bytes` rounded up to a multiple of 4."""
    return -(-n_bytes // WORD_BYTES) * WORD_BYTES


def plan_arena(tensors: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Return each tensor's offset, a multiple of 4, and the arena's size in bytes.

    Greedy: the largest first, each at the lowest place that is free while it lives.
    """
    offsets = [0] * len(tensors)
    placed: list[int] = []
    for index in sorted(range(len(tensors)), key=lambda i: (-tensors[i].n_bytes, i)):
        offsets[index] = _lowest_free(index, tensors, offsets, placed)
        placed.append(index)
    ends = [offset + padded_to_word(t.n_bytes) for offset, t in zip(offsets, tensors, strict=True)]
    return offsets, max(ends, default=0)


def _lowest_free(
    index: int, tensors: Sequence[Lifetime], offsets: Sequence[int], placed: Sequence[int]
) -> int:
    tensor = tensors[index]
    taken = sorted(
        (offsets[other], offsets[other] + padded_to_word(tensors[other].n_bytes))
        for other in placed
        if tensors[other].first <= tensor.last and tensor.first <= tensors[other].last
    )
    lowest = 0
    for start, end in taken:
        if start - lowest >= padded_to_word(tensor.n_bytes):
            break
        lowest = max(lowest, end)
    return lowest
