"""Tensors in the arena: never two at one place at a time, and no more room than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinyol_sim.frozen_net.arena_plan import Lifetime, padded_to_word, plan_arena


@given(
    lifetimes=st.lists(
        st.builds(
            lambda n_bytes, first, steps: Lifetime(n_bytes, first, first + steps),
            st.integers(1, 50),
            st.integers(0, 6),
            st.integers(0, 6),
        ),
        max_size=12,
    )
)
def test_tensors_alive_together_never_share_memory(lifetimes: list[Lifetime]) -> None:
    offsets, arena_bytes = plan_arena(lifetimes)
    taken: set[tuple[int, int]] = set()
    for tensor, offset in zip(lifetimes, offsets, strict=True):
        assert offset % 4 == 0
        assert offset + padded_to_word(tensor.n_bytes) <= arena_bytes
        cells = {
            (step, byte)
            for step in range(tensor.first, tensor.last + 1)
            for byte in range(offset, offset + tensor.n_bytes)
        }
        assert not cells & taken
        taken |= cells
    assert arena_bytes <= sum(padded_to_word(tensor.n_bytes) for tensor in lifetimes)


def test_tensors_that_have_been_read_make_room() -> None:
    chain_of_layers = [Lifetime(100, step, step + 1) for step in range(10)]
    assert plan_arena(chain_of_layers)[1] == 200
