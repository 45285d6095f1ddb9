"""The paper's pipeline on the net of another bundle."""

from __future__ import annotations

from dataclasses import replace

from ..bundle import Bundle
from ..presets import PRESETS

FEATURES = ("embedding", "error")


def paper_bundle(bundle: Bundle, *, hop: int | None = None) -> Bundle:
    """The same net and windows with what Ren, Anicic, Runkler (2021) put behind them.

    The features are the embedding and the frozen net's error; the settings are those of the
    preset `paper`, and for the rest the bundle's. What was normal in training is left out: the
    features are others.

    Args:
        hop: samples from one window to the next; None: the bundle's.

    Raises:
        BundleError, ModelError: as Bundle.create does.
    """
    pipeline = replace(
        bundle.pipeline,
        features=FEATURES,
        error_source="frozen",
        hop=bundle.pipeline.hop if hop is None else hop,
    )
    settings = {**bundle.settings, **PRESETS["paper"].settings}
    return Bundle.create(bundle.tflite, pipeline, settings=settings, taps=bundle.taps)


def at_hop(bundle: Bundle, hop: int) -> Bundle:
    """The same bundle with another hop."""
    return Bundle.create(
        bundle.tflite,
        replace(bundle.pipeline, hop=hop),
        settings=bundle.settings,
        taps=bundle.taps,
        normal=bundle.normal,
    )
