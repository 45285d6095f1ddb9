"""From an address to the way to that device: its transport, and what belongs to it on this side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_host.errors import AddressError
from tinyol_host.kept_state import KeptState, default_path
from tinyol_host.sample_source import DEFAULT, SampleSource, open_source
from tinyol_host.transports import Transport
from tinyol_host.uri import NO_STATE, Uri, speed_of
from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.errors import BundleError
from tinyol_sim.replay import RATE_TOLERANCE

NO_MODEL = "none"  # as model=


@dataclass
class Way:
    """Not open yet.

    source: what the device is to be fed with; None = its own sensor, or nothing.
    kept_state: the file with what it learned; None = it keeps that itself, or nobody does.
    bundle: its model; None = only the device knows.
    ends_with_link: the device exists only as long as its transport.
    prepare: what takes longer than opening a link may (building an emulated board, half a minute
        the first time): to be called once before, blocking, in a thread. open() does it otherwise.
    sense: the device's own sensor is on this side, and this gives it the source's samples, (n, 3)
        in g, and whether there is a gap before the first; None = a source is fed over the link.
    """

    transport: Transport
    source: SampleSource | None
    kept_state: KeptState | None
    bundle: Bundle | None
    ends_with_link: bool
    prepare: Callable[[], object] | None = None
    sense: Callable[[NDArray[np.float32], bool], None] | None = None


def transport_for(uri: Uri, *, source: bool = True) -> Way:
    """The way to a device.

    Args:
        uri: by parse_uri().
        source: False leaves the source out; the model is chosen as if it were there.

    Raises:
        BundleError: the model cannot be read, or none ships for the source's rate.
        RecordingError: the source's recording cannot be read, or is not of the model's rate.
        DeviceError: a source that there is not.
    """
    if uri.scheme == "serial":
        from tinyol_host.transports.serial import serial_transport

        return Way(serial_transport(uri.target), None, None, None, ends_with_link=False)
    if uri.scheme == "ble":
        from tinyol_host.transports.ble import BleTransport

        return Way(BleTransport(uri.target), None, None, None, ends_with_link=False)
    if uri.options.get("model") == NO_MODEL:
        return _without_model(uri, source)
    bundle, samples = _model_and_source(uri)
    transport, prepare = _twin_transport(uri, bundle)
    return Way(
        transport=transport,
        source=samples if source else None,
        kept_state=_kept_state(uri, bundle),
        bundle=bundle,
        ends_with_link=True,
        prepare=prepare,
    )


def _without_model(uri: Uri, source: bool) -> Way:
    """Its own sensor watches the source: a board without a model cannot be fed."""
    if uri.scheme != "sim":
        raise AddressError(f"{uri.scheme}: has a model always; sim:?model=none is a board without")
    from tinyol_host.transports.sim import SimTransport

    if uri.options.get("state", NO_STATE) != NO_STATE:
        raise AddressError("sim: without a model it learns nothing: leave state= out")
    speed = speed_of(uri.options.get("speed", "1"))
    samples = open_source(uri.options.get("source", DEFAULT), rate_hz=None, speed=speed)
    transport = SimTransport(None, sensor_hz=0.0 if samples is None else samples.rate_hz)
    return Way(
        transport=transport,
        source=samples if source else None,
        kept_state=None,
        bundle=None,
        ends_with_link=True,
        sense=transport.sense,
    )


def _model_and_source(uri: Uri) -> tuple[Bundle, SampleSource | None]:
    path = uri.options.get("model")
    bundle = None if path is None else Bundle.load(path)
    rate_hz = None if bundle is None else bundle.pipeline.rate_hz
    speed = speed_of(uri.options.get("speed", "1"))
    source = open_source(uri.options.get("source", DEFAULT), rate_hz=rate_hz, speed=speed)
    if bundle is None:
        bundle = default_bundle() if source is None else _shipped(source)
    return bundle, source


def _shipped(source: SampleSource) -> Bundle:
    for shipped_hz in DEFAULT_BUNDLES:
        if math.isclose(source.rate_hz, shipped_hz, rel_tol=RATE_TOLERANCE):
            return default_bundle(shipped_hz)
    rates = " and ".join(f"{rate:g}" for rate in DEFAULT_BUNDLES)
    raise BundleError(
        f"source={source.name} has {source.rate_hz:g} Hz, and models ship for {rates} Hz only:"
        " give yours with model=PATH, or make one with `tinyol train`"
    )


def _twin_transport(uri: Uri, bundle: Bundle) -> tuple[Transport, Callable[[], object] | None]:
    if uri.scheme == "emu":
        from tinyol_host.transports.emu import PowerSwitch, emu_transport

        switch = PowerSwitch(bundle, uri.options)
        return emu_transport(switch), switch.build
    from tinyol_host.transports.sim import SimTransport

    return SimTransport(bundle), None


def _kept_state(uri: Uri, bundle: Bundle) -> KeptState | None:
    path = uri.options.get("state")
    if path == NO_STATE or "flash" in uri.options:  # then the board keeps it itself
        return None
    return KeptState(default_path(uri.scheme, bundle.model_id) if path is None else path)
