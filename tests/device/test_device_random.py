"""A board and its twin through a script made by a random generator, the same each time."""

from __future__ import annotations

import random
from contextlib import suppress

import numpy as np
import pytest

from tinyol_host.board import Board
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS

from .live_board import InStep, LiveBoard, in_step

STEPS = 120
COMPARE_EVERY = 8
NAMES = ("a", "b", "größer", "a b", "fifteen bytes..")


def random_command(rng: random.Random) -> Command:
    """Some are refused, by both or by neither."""
    name, other = rng.choice(NAMES), rng.choice(NAMES)
    count = rng.choice((None, 0, 1, 5, 30))
    setting = SETTINGS[rng.choice(sorted(SETTINGS))]
    value = rng.uniform(setting.minimum, min(setting.maximum, 10.0))
    return rng.choice(
        [
            *[AddClass(name)] * 4,
            *[Label(name, count)] * 6,
            *[FineTune(count)] * 3,
            *[LabelBack(name, rng.randint(1, 40))] * 2,
            *[SetSetting(setting.name, float(round(value)) if setting.integral else value)] * 2,
            RenameClass(name, other),
            RemoveClass(name),
            Gap(),
            Reset() if rng.random() < 0.3 else Label(None),
        ]
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_script(live: LiveBoard, bundle: Bundle, seed: int) -> None:
    async def script(pair: InStep) -> None:
        rng = random.Random(seed)
        for number in range(STEPS):
            if rng.random() < 0.5:
                noise = np.random.default_rng([seed, number])
                n = rng.randint(0, 4 * bundle.pipeline.window_len)
                samples = noise.normal(0, rng.choice((1e-3, 0.1, 0.3, 5.0)), (n, 3))
                if n and rng.random() < 0.1:
                    samples[n // 2, 1] = np.nan
                await pair.feed(samples.astype(np.float32), gap=rng.random() < 0.2)
            else:
                with suppress(DeviceError):
                    await pair.do(random_command(rng))
            if number % COMPARE_EVERY == 0:
                await pair.same_state()
        assert pair.windows > 50

    async def work(board: Board) -> None:
        async with in_step(board, bundle) as pair:
            await script(pair)

    live.run(work)
