"""The bundles that ship: they load, say where they come from, and do what the demo shows."""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tinyol_sim.bundle import DEFAULT_BUNDLES, default_bundle
from tinyol_sim.frozen_net.tflite_model import check_for_arduino_tflm, read_tflite
from tinyol_sim.make_defaults import SCENARIO_FILE
from tinyol_sim.recordings import read_recording
from tinyol_sim.replay import Plan, replay
from tinyol_sim.reporting.notices import ALARM, CALIBRATED, MOVED, notices
from tinyol_sim.reporting.scores import confusion, macro_f1
from tinyol_sim.synth import LSM9DS1, shipped_scenario
from tinyol_sim.twin import Twin, Windows


@pytest.mark.parametrize("rate_hz", DEFAULT_BUNDLES)
def test_default_bundle_fits_its_board(rate_hz: float) -> None:
    bundle = default_bundle(rate_hz)
    assert bundle.pipeline.rate_hz == rate_hz
    check_for_arduino_tflm(read_tflite(bundle.tflite))
    assert {source["rate_hz"] for source in bundle.provenance["recordings"]} == {rate_hz}
    assert bundle.provenance["figures"]["model_id"] == bundle.model_id


def test_shipped_scenario_is_the_generators() -> None:
    with resources.as_file(resources.files("tinyol_sim") / "data" / SCENARIO_FILE) as path:
        assert Path(path).stat().st_size < 1_500_000
        shipped = read_recording(path)
    made = shipped_scenario(119.0)
    # Another numpy's transforms may round a sample to the next step of the converter.
    np.testing.assert_allclose(shipped.samples, made.samples, atol=1.5 * LSM9DS1.resolution_g)
    np.testing.assert_array_equal(shipped.labels, made.labels)
    np.testing.assert_array_equal(shipped.gaps, made.gaps)
    assert shipped.label_names == made.label_names


@pytest.mark.parametrize("rate_hz", DEFAULT_BUNDLES)
def test_the_scenario_drifts_and_learning_repairs_it(rate_hz: float) -> None:
    scenario = shipped_scenario(rate_hz)
    twin = Twin(default_bundle(rate_hz))
    for name in scenario.label_names:
        twin.add_class(name)
    parts: list[Windows] = []
    for i, (start, stop) in enumerate(pairwise([0, *scenario.gaps, scenario.n_samples])):
        if i in (1, 2):
            twin.fine_tune(None if i == 1 else 0)
        twin.gap()
        parts.append(twin.feed(scenario.samples[start:stop], labels=scenario.labels[start:stop]))
    threshold = twin.get("anomaly.threshold")
    before, drift, last = parts[0], parts[1], Windows.join(parts[-3:])

    assert np.mean(before.tuned_error > threshold) < 0.03
    assert np.mean(drift.error > threshold) > 0.95
    n = len(drift) // 5
    assert drift.error[:n].mean() > 5 * before.error.mean()
    assert drift.tuned_error[-n:].mean() < 0.4 * drift.error[-n:].mean()
    assert macro_f1(confusion(last.label, last.predicted, 3)) > 0.93


@pytest.mark.parametrize("rate_hz", DEFAULT_BUNDLES)
def test_the_demo_finds_what_was_done_to_the_fan(rate_hz: float) -> None:
    """Fine-tuned, calibrated and taught, as the README has it."""
    plan = Plan(learn=True, fine_tune=600, calibrate=200)
    result = replay(default_bundle(rate_hz), [shipped_scenario(rate_hz)], plan)
    windows, names = result.windows, result.class_names
    table = confusion(result.truth, windows.predicted, len(names))
    assert macro_f1(table) > 0.98

    found = notices(result)
    (calibrated,) = [n for n in found if n.kind == CALIBRATED]
    later = np.arange(len(windows)) > calibrated.first
    normal, stuck = (later & (result.truth == names.index(n)) for n in ("normal", "stuck"))
    assert windows.anomaly[normal].mean() < 0.02
    assert windows.anomaly[stuck].mean() > 0.95
    # An alarm each time that the fan is blocked, none while it runs; a move each time that it is
    # tilted.
    alarms = [n.first for n in found if n.kind == ALARM and n.first > calibrated.first]
    raised_by = result.truth[alarms].tolist()
    assert raised_by.count(names.index("stuck")) == np.sum(np.diff(stuck.astype(int)) > 0) == 4
    assert names.index("normal") not in raised_by
    moves = [n.first for n in found if n.kind == MOVED and n.first > calibrated.first]
    near = result.truth[[min(first + 20, len(windows) - 1) for first in moves]]
    assert set(near.tolist()) == {names.index("tilted")}
    # At its place of work the fan is nothing that was shown before, until it is labelled.
    unlabelled = result.truth < 0
    assert windows.unknown[unlabelled].mean() > 0.95
