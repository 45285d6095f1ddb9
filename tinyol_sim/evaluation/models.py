"""The models under test: an int8 autoencoder for each seed, trained on normal windows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import RecordingError
from tinyol_sim.evaluation.roles import Plan
from tinyol_sim.evaluation.states import State
from tinyol_sim.presets import PRESETS
from tinyol_sim.train import TrainOptions, train

PAPER = PRESETS["paper"]


@dataclass(frozen=True, eq=False)
class Models:
    """Three bundles of one seed.

    ours: the defaults, a diagonal covariance a class; full: the same net with full ones;
    paper: the paper's window of 40 (also its hop), centring and features.
    """

    ours: Bundle
    full: Bundle
    paper: Bundle

    def of(self, which: str) -> Bundle:
        """The bundle of that field."""
        found = getattr(self, which)
        assert isinstance(found, Bundle)
        return found


def train_models(teach: Mapping[str, State], plan: Plan, seed: int) -> Models:
    """Trains on the normal state's teaching part; not even the quantiser sees another state.

    Raises: RecordingError, ModelError, BundleError, TinyOLError as `train` does.
    """
    normal = teach[plan.normal]
    recordings = [normal.recording()]
    options = TrainOptions(
        normal=(plan.normal,),
        window_len=plan.window_len,
        hop=plan.hop,
        epochs=plan.epochs,
        seed=seed,
    )
    window_len = PAPER.options["window_len"]
    of_paper = replace(options, **PAPER.options, hop=window_len, settings=PAPER.settings)
    try:
        ours = train(recordings, options).bundle
        paper = train(recordings, of_paper).bundle
    except RecordingError as error:  # its seconds are those of a part of what was recorded
        raise RecordingError(
            f"{plan.normal}: of the {normal.duration_s:.1f} s that are left to train on, once what"
            f" chooses and what reports is set aside: {error}"
        ) from None
    return Models(ours, with_full_covariance(ours), paper)


def with_full_covariance(bundle: Bundle) -> Bundle:
    """The same net and start values, with a full covariance for each class."""
    return Bundle.create(
        bundle.tflite,
        replace(bundle.pipeline, covariance="full"),
        settings=bundle.settings,
        taps=bundle.taps,
        normal=bundle.normal,
    )
