"""No weight that came from elsewhere slips past the limit: the fine-tuned layer's bound is never
older than its weights."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from image_surgery import patched, sections_of
from numpy.typing import NDArray
from small_replay import small_bundle

from tinyol_sim.errors import DeviceError
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

SGD, NLMS, RLS = 0.0, 1.0, 2.0
N_OPERATIONS = 400
LAYER_HEADER_BYTES = 24


def with_weights_times(factor: float, image: bytes) -> bytes:
    """The image with the fine-tuned layer's weights larger or smaller."""
    payload = dict(sections_of(image))[b"RECO"]
    numbers = np.frombuffer(payload[LAYER_HEADER_BYTES:], "<f4") * np.float32(factor)
    return patched(image, b"RECO", LAYER_HEADER_BYTES, numbers.clip(-1e6, 1e6).tobytes())


class Pair:
    """A twin that keeps its bound, and one that forgets it after each operation: reading a state
    image leaves no bound behind."""

    def __init__(self) -> None:
        bundle = small_bundle()
        self.kept, self.forgetful = Twin(bundle), Twin(bundle)
        self.earlier = self.kept.state

    def set(self, name: str, value: float) -> None:
        self.kept.set(name, value)
        self.forgetful.set(name, value)

    def tune(self, samples: NDArray[np.float32], steps: int) -> None:
        for twin in (self.kept, self.forgetful):
            twin.fine_tune(steps)
            twin.feed(samples)
            twin.fine_tune(0)
            twin.gap()

    def put_back(self, image: bytes) -> None:
        self.kept.state = image
        self.forgetful.state = image

    def undo(self) -> None:
        with suppress(DeviceError):  # nothing to undo
            self.kept.undo()
        self.forgetful.state = self.kept.state

    def reset(self) -> None:
        self.kept.reset()
        self.forgetful.reset()

    def compare(self) -> None:
        assert self.kept.state == self.forgetful.state
        self.forgetful.state = self.forgetful.state


def steps(twin: Twin) -> tuple[int, int]:
    """Taken, and refused because of the limit."""
    fields = StateImage.from_bytes(twin.state).fields
    return (
        int(str(fields["reconstruction.steps"])),
        int(str(fields["reconstruction.skipped_over_limit"])),
    )


def test_weights_of_an_image_are_looked_at() -> None:
    twin = Twin(small_bundle())
    samples = np.random.default_rng(0).normal(0, 0.1, (60, 3)).astype(np.float32)
    twin.fine_tune(5)
    twin.feed(samples)
    assert steps(twin) == (5, 0)
    twin.state = with_weights_times(3.0, twin.state)
    largest = np.abs(np.asarray(StateImage.from_bytes(twin.state).fields["reconstruction.bias"]))
    twin.set("reconstruction.weight_limit", 0.5 * float(largest.max()))
    twin.fine_tune(5)
    twin.feed(samples)
    assert steps(twin) == (5, 5)


@pytest.mark.parametrize("seed", range(4))
def test_it_refuses_what_a_look_at_the_weights_refuses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pair = Pair()
    taken = refused = 0
    for _ in range(N_OPERATIONS):
        match rng.integers(8):
            case 0:
                pair.set("reconstruction.weight_limit", float(rng.choice([5.0, 20.0, 1000.0])))
            case 1:
                pair.set("reconstruction.rule", float(rng.choice([SGD, SGD, NLMS, RLS])))
            case 2:
                pair.set("reconstruction.learning_rate", 10.0 ** rng.uniform(-4, 0))
                pair.set("reconstruction.l2", float(rng.choice([0.0, 0.0, 0.01])))
            case 3:
                pair.earlier, image = pair.kept.state, pair.earlier
                pair.put_back(with_weights_times(10.0 ** rng.uniform(-1, 1), image))
            case 4:
                pair.undo()
            case 5 if rng.random() < 0.2:
                pair.reset()
            case _:
                samples = rng.normal(0, 10.0 ** rng.uniform(-1, 0.5), (40, 3))
                before = steps(pair.kept)
                pair.tune(samples.astype(np.float32), int(rng.integers(1, 20)))
                after = steps(pair.kept)
                taken += after[0] - before[0]
                refused += after[1] - before[1]
        pair.compare()
    assert min(taken, refused) > 50
