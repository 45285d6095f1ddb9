"""What connect() looks at before it hands a board out: do this host and the device fit together?"""

from __future__ import annotations

from tinyol_host.hardware import Hardware, SensorState
from tinyol_host.replies import Identity, Info
from tinyol_sim.bundle import Bundle
from tinyol_sim.model_image import ARITHMETIC_VERSION
from tinyol_sim.state_image import FORMAT_VERSION


def warnings_about(
    identity: Identity, info: Info, bundle: Bundle | None, hardware: Hardware | None = None
) -> list[str]:
    """What a person should know of this device, a sentence each; mostly none.

    hardware: None where it was not asked, or does not know.
    """
    warnings = []
    if not info.self_test_ok:
        warnings.append(
            "the device failed its self-test at boot: what it computes is not to be trusted"
            " (`tinyol self-test` says which part)"
        )
    if identity.arithmetic_version != ARITHMETIC_VERSION:
        warnings.append(
            f"the device has arithmetic version {identity.arithmetic_version}, this host"
            f" {ARITHMETIC_VERSION}: a twin will not compute the same bits; update"
            f" {_older(identity.arithmetic_version, ARITHMETIC_VERSION)}"
        )
    if identity.state_format != FORMAT_VERSION:
        warnings.append(
            f"the device's state images are of version {identity.state_format}, this host's of"
            f" {FORMAT_VERSION}: they cannot be exchanged; update"
            f" {_older(identity.state_format, FORMAT_VERSION)}"
        )
    if bundle is not None and bundle.model_id != identity.model_id:
        warnings.append(
            f"the device runs model {identity.model_id}, not the bundle's {bundle.model_id}"
        )
    if hardware is not None and hardware.sensor.failed:
        warnings.append(_sensor_trouble(identity, hardware))
    return warnings


def _sensor_trouble(identity: Identity, hardware: Hardware) -> str:
    """Why no samples that are of use come from the board's own sensor."""
    if hardware.sensor == SensorState.WRONG_RATE:
        return (
            f"the board's sensor gives {hardware.sensor_hz:g} samples a second, and its model is"
            f" for {identity.rate_hz:g}: train one at the sensor's rate"
        )
    return f"the board's sensor is {hardware.sensor.words}"


def _older(device: int, host: int) -> str:
    return "the firmware" if device < host else "this program"
