"""Whether a bundle fits a board, asked before anything is built: its rate, and its flash."""

from __future__ import annotations

from pathlib import Path

from tinyol_host.flashing.firmware_folder import Environment, FirmwareFolder
from tinyol_host.session import Session
from tinyol_host.transports.sim import SimTransport
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.errors import BundleError

# The board keeps what it learned in 12 pages of its flash, in two slots at least, of whole pages
# (firmware/lib/tinyol/src/tinyol/state_store.cpp); its key and its name have two pages each.
STATE_PAGES = 12
PAGE_BYTES = 4096
RECORD_HEADER_BYTES = 40
MOST_IMAGE_BYTES = STATE_PAGES // 2 * PAGE_BYTES - RECORD_HEADER_BYTES


def load_bundle(path: Path | None, sensor_hz: float) -> Bundle:
    """The bundle at a path; without, the one that ships for the sensor.

    Raises:
        BundleError: it cannot be read, or none ships.
    """
    return default_bundle(sensor_hz) if path is None else Bundle.load(path)


def check_some_rate(bundle: Bundle, name: str, firmware: FirmwareFolder) -> None:
    """Raises BundleError if no revision's sensor has the bundle's rate."""
    if not any(bundle.fits_sensor(e.sensor_hz) for e in firmware.environments.values()):
        raise BundleError(
            f"{name}: made for {bundle.pipeline.rate_hz:g} Hz; the sensors run at"
            f" {firmware.sensor_rates()}: train it on recordings of that rate"
        )


def check_rate(bundle: Bundle, name: str, environment: Environment) -> None:
    """Raises BundleError if the bundle was made for another rate than the sensor's."""
    if not bundle.fits_sensor(environment.sensor_hz):
        raise BundleError(
            f"{name}: made for {bundle.pipeline.rate_hz:g} Hz, and the sensor of revision"
            f" {environment.revision} runs at {environment.sensor_hz:g} Hz: train it on recordings"
            " of that rate"
        )


async def check_flash(bundle: Bundle, name: str) -> int:
    """The bytes of its largest state image.

    Raises:
        BundleError: the device refuses the bundle, or its flash could not keep what it learns.
    """
    session = Session(SimTransport(bundle))  # the device's own code tells
    most = (await session.open()).max_image_bytes
    await session.close()
    if most > MOST_IMAGE_BYTES:
        pages = -(-(RECORD_HEADER_BYTES + most) // PAGE_BYTES)
        raise BundleError(
            f"{name}: what a board learns with this model takes up to {most:,} bytes, and its"
            f" flash can keep {MOST_IMAGE_BYTES:,}: two copies of {pages} pages do not go into"
            f" {STATE_PAGES} pages of {PAGE_BYTES:,} bytes; fewer classes (--max-classes) or a"
            " smaller last hidden layer make it smaller"
        )
    return most
