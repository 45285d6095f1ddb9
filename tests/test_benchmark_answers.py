"""The twin's peers do the same job: their answers are the twin's."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from native_build import SANITIZED
from small_models import float_bundle, float_net, int8_bundle
from tflite_builder import ModelBuilder

from tinyol_sim.benchmark import contest, river_peer, tflite_runtime_peer
from tinyol_sim.benchmark.contest import (
    Answers,
    Entrant,
    PeerMissingError,
    Place,
    enter,
    hold,
    one_core,
)
from tinyol_sim.benchmark.jobs import INFERENCE, LEARNING, ROWS, TUNING, window_job
from tinyol_sim.benchmark.paper_bundle import at_hop, paper_bundle
from tinyol_sim.benchmark.side_by_side import ROW_PEERS, WINDOW_PEERS
from tinyol_sim.benchmark.twin_entrant import HEAD_ALONE, TWIN, WHOLE, row_job
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.model_image import MAGIC, read_sections
from tinyol_sim.twin import Twin


def shapes() -> list[Any]:
    """Bundles that differ in what the peers have to do themselves."""
    three_axes = int8_bundle(
        axes="all", centring="training", centre=(0.1, -0.2, 0.9), scale=(3.0, 4.0, 5.0), offset=0.1
    )
    return [
        pytest.param(default_bundle(), 1, id="119 Hz, hop 1"),
        pytest.param(default_bundle(100.0), 7, id="100 Hz, hop 7"),
        pytest.param(three_axes, 3, id="three axes, the training's centre"),
        pytest.param(float_bundle(float_net()), 2, id="float32"),
    ]


@cache
def job_of(bundle: Bundle, hop: int) -> Any:
    return window_job(bundle, 9.0, hop=hop)


@pytest.mark.parametrize(("bundle", "hop"), shapes())
@pytest.mark.parametrize(
    ("peer", "what"),
    [
        pytest.param(peer, what, id=f"{peer.name}: {what}")
        for peer in WINDOW_PEERS
        for what in peer.jobs
    ],
)
def test_a_window_peer_gives_the_twins_answers(
    peer: Any, what: str, bundle: Bundle, hop: int
) -> None:
    try:
        peer.load()
    except PeerMissingError as error:
        pytest.skip(f"{peer.name}: {error}")
    job = job_of(bundle, hop)
    expected, found = TWIN.work(job, what)(), peer.work(job, what)()
    same = found.agreement(expected)
    assert same is not None
    # The optimised kernels, which the batch runs in, round otherwise now and then.
    assert same >= (0.95 if "batch" in peer.name else 0.995)
    if what == LEARNING:
        assert len(set(found.predicted.tolist())) == 3
    else:
        assert found.error.shape == (job.n_windows,)


def test_fine_tuning_is_part_of_that_job() -> None:
    job = job_of(default_bundle(), 1)
    before, after = (TWIN.work(job, what)().error for what in (INFERENCE, TUNING))
    assert after[-200:].mean() < 0.9 * before[-200:].mean()


@pytest.mark.parametrize("peer", ROW_PEERS, ids=lambda peer: peer.name)
def test_a_row_peer_gives_the_twins_answers_or_says_what_differs(peer: Any) -> None:
    try:
        peer.load()
    except PeerMissingError as error:
        pytest.skip(f"{peer.name}: {error}")
    rows = row_job(window_job(default_bundle(), 4.0))
    expected = HEAD_ALONE.work(rows, ROWS)()
    same = peer.work(rows, ROWS)().agreement(expected)
    assert same is not None
    assert same >= (0.75 if peer.differs else 0.995)


def test_the_head_alone_gives_exactly_the_whole_twins_answers() -> None:
    job = job_of(default_bundle(), 1)
    alone, whole = HEAD_ALONE.work(row_job(job), ROWS)(), WHOLE.work(job, ROWS)()
    assert alone.agreement(whole) == 1
    assert len(set(whole.predicted.tolist())) == 3  # type: ignore[union-attr]


def test_other_answers_are_noticed() -> None:
    job = job_of(default_bundle(), 1)
    learned, inferred = TWIN.work(job, LEARNING)(), TWIN.work(job, INFERENCE)()
    assert learned.predicted is not None
    assert inferred.error is not None
    rolled = Answers(predicted=(learned.predicted + 1) % 3)
    assert rolled.agreement(learned) == 0
    off = inferred.error.copy()
    off[: len(off) // 2] *= 1 + 2 * contest.NEAR
    assert Answers(error=off).agreement(inferred) == pytest.approx(0.5, abs=0.01)
    assert Answers().agreement(inferred) is None


@pytest.mark.parametrize("hop", [1, 3, 20])
def test_windows_and_their_labels_are_those_of_the_twin(hop: int) -> None:
    job = window_job(default_bundle(), 5.0, hop=hop)
    twin = Twin(job.bundle)
    for name in "abc":
        twin.add_class(name)
    windows = twin.feed(job.samples, job.labels)
    assert job.n_windows == len(windows)
    np.testing.assert_array_equal(job.window_labels(), windows.label)
    assert set(windows.label.tolist()) == {-1, 0, 1, 2}


def test_the_papers_variant_has_its_features_and_the_same_net() -> None:
    bundle = default_bundle()
    paper = paper_bundle(bundle)
    nets = [read_sections(one.model_image, MAGIC, "model")[1]["NETB"] for one in (paper, bundle)]
    assert nets[0] == nets[1]
    assert paper.pipeline.hop == bundle.pipeline.hop
    assert paper.pipeline.features == ("embedding", "error")
    assert Twin(paper).n_features == 5
    assert Twin(paper).get("classifier.head") == 0
    assert at_hop(bundle, 3).pipeline == replace(bundle.pipeline, hop=3)
    assert at_hop(bundle, bundle.pipeline.hop).model_id == bundle.model_id


@pytest.mark.skipif(SANITIZED in os.environ, reason="sanitizers slow only one of them down")
def test_river_takes_fifty_times_as_long() -> None:
    try:
        river_peer.load_river()
    except PeerMissingError as error:
        pytest.skip(str(error))
    rows = row_job(window_job(default_bundle(), 9.0))
    slots = [enter(peer, rows, ROWS, len(rows.features)) for peer in (HEAD_ALONE, river_peer.PEER)]
    with one_core():
        _, river = hold(slots, repeats=3)
    assert river.agreement > 0.995  # type: ignore[operator]
    assert river.times_slower > 50  # 230 where this was written


@pytest.mark.skipif(SANITIZED in os.environ, reason="sanitizers slow only one of them down")
@pytest.mark.parametrize("peer", WINDOW_PEERS[:2], ids=lambda peer: peer.name)
def test_an_interpreter_with_numpy_takes_twenty_times_as_long(peer: Any) -> None:
    job = job_of(default_bundle(), 1)
    slots = [enter(one, job, LEARNING, job.n_windows) for one in (TWIN, peer)]
    if isinstance(slots[1], Place):
        pytest.skip(slots[1].missing)
    with one_core():
        _, interpreter = hold(slots, repeats=5)
    assert interpreter.times_slower > 20  # 50 to 80 where this was written


def test_a_net_for_one_window_only_is_left_out_of_the_batch() -> None:
    try:
        tflite_runtime_peer.load_runtime()
    except PeerMissingError as error:
        pytest.skip(str(error))
    rng, builder = np.random.default_rng(0), ModelBuilder()
    first = tensor = builder.tensor((1, 8), "FLOAT32")
    for n_in, n_out in ((8, 6), (6, 2), (2, 5), (5, 8)):
        constants = [
            builder.tensor(shape, "FLOAT32", data=rng.normal(size=shape).astype(np.float32))
            for shape in ((n_out, n_in), (n_out,))
        ]
        flat = builder.operator(
            "FULLY_CONNECTED", [tensor, *constants], builder.tensor((1, n_out), "FLOAT32")
        )
        tensor = builder.operator("RESHAPE", [flat], builder.tensor((1, n_out), "FLOAT32"))
    bundle = Bundle.create(builder.finish([first], [tensor]), float_bundle(float_net()).pipeline)
    job = window_job(bundle, 2.0)
    batch = enter(WINDOW_PEERS[-1], job, INFERENCE, job.n_windows)
    single = enter(tflite_runtime_peer.PEER, job, INFERENCE, job.n_windows)
    assert isinstance(batch, Place)
    assert batch.missing == "this net runs one window at a time only"
    assert isinstance(single, Entrant)
    assert single.prepare()().agreement(TWIN.work(job, INFERENCE)()) == 1
