"""A board that makes no windows: how long that is waited for, and why it may be so."""

from __future__ import annotations

from tinyol_host.replies import Identity, Info
from tinyol_sim.counted import counted

SILENCE_S = 10.0  # without a window for so long, it is given up


def silence_limit_s(identity: Identity) -> float:
    """SILENCE_S, or three windows where they are longer."""
    return max(SILENCE_S, 3 * (identity.window_len + identity.hop) / identity.rate_hz)


def why_none(identity: Identity, then: Info, now: Info) -> str:
    """Why no window was heard of between two looks at a board."""
    samples, windows = now.at - then.at, now.windows - then.windows
    if not samples and identity.has_sensor:
        return "the board's sensor gives no samples; `tinyol info` shows what it knows of it"
    if not samples:
        return "the board has no sensor, and nobody feeds it"
    if now.refused_windows > then.refused_windows:
        return "the net gives nothing usable for what the sensor measures"
    if windows:
        return "the board makes them, but no news of them comes through the link"
    return (
        f"{counted(samples, 'sample')} came, of which"
        f" {now.refused_samples - then.refused_samples:,} were refused, with"
        f" {counted(now.gaps - then.gaps, 'gap')}; a window takes"
        f" {identity.window_len} that follow each other"
    )
