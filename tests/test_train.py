"""`train` as a whole and its command: what it writes, what it promises, what it refuses."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tinyol_host.cli.train import train as command
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import BundleError, ModelError, RecordingError, TinyOLError
from tinyol_sim.frozen_net.tflite_model import check_for_arduino_tflm, read_tflite
from tinyol_sim.presets import PRESETS
from tinyol_sim.recordings import Recording, read_recording, write_recording
from tinyol_sim.synth import synthesize
from tinyol_sim.train import Trained, TrainOptions, train
from tinyol_sim.training.training_set import make_training_set
from tinyol_sim.twin import Twin

OPTIONS = TrainOptions(epochs=15, settings={"classifier.learning_rate": 0.1})
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason='TensorFlow is not installed (pip install "tinyol[train]")',
)


@pytest.fixture(scope="module")
def fans() -> list[Recording]:
    return [synthesize(mode, s, seed=7) for mode, s in (("normal", 60), ("tilted", 15))]


@pytest.fixture(scope="module")
def trained(fans: list[Recording]) -> Trained:
    return train(fans, OPTIONS, date="2024-05-01")


@needs_tensorflow
def test_int8_net_runs_on_the_boards_interpreter_and_equals_the_float_one(
    trained: Trained,
) -> None:
    check_for_arduino_tflm(read_tflite(trained.bundle.tflite))
    normal, tilted = trained.report.states
    assert normal.error_float < 0.1  # of a variance of 1
    assert normal.error_int8 == pytest.approx(normal.error_float, rel=0.1)
    assert tilted.auc_float is not None
    assert tilted.auc_float > 0.95
    assert tilted.auc_int8 == pytest.approx(tilted.auc_float, abs=0.01)
    assert trained.report.auc_int8 == pytest.approx(tilted.auc_int8)
    assert tilted.auc_score is not None
    assert tilted.auc_score > 0.99
    assert trained.report.auc_score == pytest.approx(tilted.auc_score)
    assert normal.anomalies < 0.05 < 0.95 < tilted.anomalies


@needs_tensorflow
def test_int8_range_holds_the_loud_states_that_were_given(fans: list[Recording]) -> None:
    loud = replace(fans[0].with_label("loud"), samples=fans[0].samples * np.float32(8))
    states = train([fans[0], loud], replace(OPTIONS, epochs=5)).report.states
    assert states[1].label == "loud"
    assert states[1].error_int8 == pytest.approx(states[1].error_float, rel=0.05)


@needs_tensorflow
def test_threshold_is_the_quantile_of_held_out_errors_on_the_device(
    fans: list[Recording], trained: Trained
) -> None:
    found = make_training_set(fans, window_len=40, hop=10)
    # Errors do not depend on the hop: the same windows, cut at training's.
    bundle = trained.bundle
    denser = Bundle.create(bundle.tflite, replace(bundle.pipeline, hop=10), taps=bundle.taps)
    errors = Twin(denser).feed(found.recording.samples, gaps=found.recording.gaps).tuned_error
    expected = np.quantile(errors[found.normal & found.held_out], 0.99)
    assert bundle.settings["anomaly.threshold"] == pytest.approx(expected, rel=1e-4)
    assert Twin(bundle).get("anomaly.threshold") == pytest.approx(expected, rel=1e-4)


@needs_tensorflow
def test_the_detector_knows_normal_from_the_start(fans: list[Recording], trained: Trained) -> None:
    """Two-sided, from the windows of training: few false alarms, and no tilted fan missed."""
    twin = Twin(trained.bundle)
    assert twin.watch().normal_windows > 100
    normal = twin.feed(synthesize("normal", 60, seed=9).samples)
    assert normal.score.all()
    assert normal.anomaly.mean() < 0.05
    assert not normal.alarm.any()
    stuck = Twin(trained.bundle).feed(synthesize("stuck", 20, seed=9).samples)
    assert stuck.anomaly.mean() > 0.9
    assert stuck.alarm[3:].all()


@needs_tensorflow
def test_fine_tuning_at_the_rate_found_repairs_a_changed_gain(trained: Trained) -> None:
    louder = synthesize("normal", 60, seed=8)
    twin = Twin(trained.bundle)
    twin.fine_tune(None)
    seen = twin.feed(louder.samples * 1.5 + np.float32(0.2))
    late = slice(-len(seen) // 4, None)
    assert seen.tuned_error[late].mean() < 0.8 * seen.error[late].mean()


@needs_tensorflow
def test_bundle_says_how_it_was_made(fans: list[Recording], trained: Trained) -> None:
    made = trained.bundle.provenance
    assert [source["name"] for source in made["recordings"]] == [fan.name for fan in fans]
    assert made["options"]["epochs"] == 15
    assert made["options"]["layers"] == [40, 32, 4, 32, 40]
    assert made["date"] == "2024-05-01"
    assert made["figures"] == trained.report.as_dict()
    assert trained.bundle.settings["classifier.learning_rate"] == 0.1
    assert trained.bundle.pipeline.hop == 20


@needs_tensorflow
def test_same_input_same_file(fans: list[Recording], tmp_path: Path) -> None:
    quick = replace(OPTIONS, epochs=2)
    files = []
    for i, options in enumerate((quick, quick, replace(quick, seed=1))):
        path = tmp_path / f"{i}.tinyol"
        train(fans, options).bundle.save(path)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


@needs_tensorflow
@pytest.mark.parametrize("centring", ["window", "training"])
def test_sigmoid_output_is_given_a_range_that_it_can_reach(
    fans: list[Recording], centring: str
) -> None:
    options = replace(OPTIONS, output="sigmoid", centring=centring, axes="all", window_len=20)
    bundle = train(fans[:1], options).bundle
    pipeline = bundle.pipeline
    assert bundle.settings["reconstruction.loss"] == 1.0
    assert pipeline.n_inputs == 60
    assert pipeline.offset == 0.5
    samples = fans[0].samples[:5000].astype(np.float64)
    centre = np.mean(samples, axis=0) if centring == "window" else np.asarray(pipeline.centre)
    inside = (samples - centre) * np.asarray(pipeline.scale) + 0.5
    assert inside.min() > -0.1
    assert inside.max() < 1.1
    assert np.ptp(inside, axis=0).min() > 0.5


@needs_tensorflow
def test_fine_tuning_repairs_the_drift_of_a_real_fan(real_data: Path) -> None:
    learned, deployed = (
        read_recording(real_data / "ceiling-fan" / f"fan_0_low{place}")
        for place in ("_0_weight", "-deploy")
    )
    options = TrainOptions(normal=(learned.label_names[0],), hop=10, centring="training", epochs=20)
    twin = Twin(train([learned], options).bundle)
    twin.fine_tune(2000)
    seen = twin.feed(deployed.samples, gaps=deployed.gaps)
    assert np.mean(seen.error > twin.get("anomaly.threshold")) > 0.95
    assert len(seen) > 2300
    assert seen.tuned_error[2000:].mean() < 0.2 * seen.error[2000:].mean()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, TinyOLError):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def fan_file(fans: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recordings") / "fan.npz"
    write_recording(fans[0].with_label("low"), path)
    return str(path)


@needs_tensorflow
def test_command_writes_a_bundle_and_prints_figures(fan_file: str, tmp_path: Path) -> None:
    out = str(tmp_path / "fan.tinyol")
    shared = [fan_file, "--output", out, "--normal", "low", "--epochs", "2", "--hop", "7"]
    printed = run(*shared, "--layers", "40-8-3-8-40", "--features", "log_error,embedding")
    assert printed.exit_code == 0, printed.output
    bundle = Bundle.load(out)
    assert bundle.model_id in printed.output
    assert bundle.pipeline.hop == 7
    assert bundle.pipeline.features == ("embedding", "log_error")
    assert Twin(bundle).n_features == 4
    as_json = run(*shared, "--json")
    figures = json.loads(as_json.stdout)
    assert figures["states"][0]["label"] == "low"
    assert figures["model_id"] == Bundle.load(out).model_id


@needs_tensorflow
def test_the_papers_preset_gives_way_to_what_is_said_beside_it(
    fan_file: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "fan.tinyol")
    shared = [fan_file, "-o", out, "--normal", "low", "--epochs", "1", "--preset", "paper"]
    assert run(*shared).exit_code == 0
    bundle = Bundle.load(out)
    assert bundle.pipeline.features == ("embedding", "error")
    assert (bundle.pipeline.window_len, bundle.pipeline.centring) == (40, "training")
    settings = Twin(bundle).settings()
    for name, value in PRESETS["paper"].settings.items():
        assert settings[name] == value, name
    assert run(*shared, "--window", "32", "--centring", "window").exit_code == 0
    chosen = Bundle.load(out).pipeline
    assert (chosen.window_len, chosen.centring) == (32, "window")
    assert chosen.features == ("embedding", "error")


@needs_tensorflow
def test_command_sets_what_a_device_keeps_of_a_class(fan_file: str, tmp_path: Path) -> None:
    out = str(tmp_path / "fan.tinyol")
    keep = ["--covariance", "full", "--rehearsal-rows", "20", "--rehearsal-windows", "0"]
    assert run(fan_file, "-o", out, "--normal", "low", "--epochs", "1", *keep).exit_code == 0
    pipeline = Bundle.load(out).pipeline
    kept = (pipeline.covariance, pipeline.rehearsal_rows, pipeline.rehearsal_windows)
    assert kept == ("full", 20, 0)


def test_command_refuses_unusable_data(fan_file: str, tmp_path: Path) -> None:
    out = ["-o", str(tmp_path / "x.tinyol")]
    with pytest.raises(RecordingError, match="the labels are low"):
        run(fan_file, *out)
    with pytest.raises(RecordingError, match=r"119 Hz, not 100 Hz"):
        run(fan_file, *out, "--normal", "low", "--rate-hz", "100")
    with pytest.raises(BundleError, match="no folder"):
        run(fan_file, "-o", str(tmp_path / "nowhere" / "x.tinyol"), "--normal", "low")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layers", "40-8-41"],
        ["--layers", "30-8-30"],
        ["--axes", "all", "--layers", "40-8-40"],
        ["--features", "error,colour"],
        ["--threshold-quantile", "1"],
        ["--activation", "relu"],
    ],
)
def test_command_refuses_wrong_usage(arguments: list[str], fan_file: str, tmp_path: Path) -> None:
    result = run(fan_file, "-o", str(tmp_path / "x.tinyol"), *arguments)
    assert result.exit_code == 2
    assert arguments[-2] in result.output


def test_layers_must_fit_the_window(fans: list[Recording]) -> None:
    with pytest.raises(ModelError, match=r"120 \(40 samples x 3 channels\)"):
        train(fans, replace(OPTIONS, axes="all", layers=(40, 4, 40)))


def test_without_tensorflow_the_error_says_how_to_get_it(
    fans: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(TinyOLError, match=r'pip install "tinyol\[train\]"'):
        train(fans, OPTIONS)
