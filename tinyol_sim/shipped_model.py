"""The model that ships with the package for a recording's rate."""

from __future__ import annotations

import math

from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.errors import BundleError
from tinyol_sim.replay import RATE_TOLERANCE


def shipped_model_for(rate_hz: float) -> Bundle:
    """The shipped bundle for a rate within 0.1 %; BundleError says for which rates there is one."""
    for shipped_hz in DEFAULT_BUNDLES:
        if math.isclose(rate_hz, shipped_hz, rel_tol=RATE_TOLERANCE):
            return default_bundle(shipped_hz)
    rates = " and ".join(f"{rate:g}" for rate in DEFAULT_BUNDLES)
    raise BundleError(
        f"no model ships for {rate_hz:g} Hz, only for {rates} Hz: give yours with --model, or make"
        " one with `tinyol train`"
    )
