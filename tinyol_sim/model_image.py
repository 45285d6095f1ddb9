"""The model image: what a device must know before it can run, as bytes (docs/state-image.md)."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError
from .frozen_net.golden_vectors import GoldenVectors
from .normal_start import NormalStart
from .settings import SETTINGS
from .text import one_line

MAGIC = b"TOLM"
FORMAT_VERSION = 3
ARITHMETIC_VERSION = 1
FEATURES = ("embedding", "error", "log_error", "log_variance", "axis_log_variance")
DEFAULT_FEATURES = ("embedding", "log_error", "axis_log_variance")
AXES = ("projection", "all")
CENTRINGS = ("window", "training")
ERROR_SOURCES = ("frozen", "tuned")
COVARIANCES = ("diagonal", "full")
# Sections that decide what the device computes; the rest is only where it starts from.
IDENTITY = ("PIPE", "LIMS", "NETB", "NORM")

MAX_RATE_HZ = 1e6
MAX_SCALE = 1e6  # as model.cpp has it

_HEADER = struct.Struct("<4sHH8sI")
_PIPE = struct.Struct("<fHH4B3f3f3ff")
_LIMS = struct.Struct("<HHBBHHH")
_LAYER = struct.Struct("<HHB3xIIII")
_SECTION = struct.Struct("<4sI")


@dataclass(frozen=True)
class Pipeline:
    """From samples to the net's input, and which features the classifier sees.

    A channel is the projection of (x, y, z) in g on one direction (``axes="projection"``) or
    each axis (``"all"``, interleaved). The input is ``(channel - centre) * scale + offset``,
    where the centre is the window's own mean (``centring="window"``) or the training data's.
    """

    rate_hz: float
    window_len: int = 40  # samples
    hop: int = 40  # samples from one window to the next
    axes: str = "projection"
    centring: str = "window"
    projection: tuple[float, float, float] = (0.0, 0.0, 1.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)  # g, per channel
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)  # 1/g, per channel
    offset: float = 0.0
    features: tuple[str, ...] = DEFAULT_FEATURES
    error_source: str = "frozen"
    max_classes: int = 16
    ring_len: int = 64  # feature vectors kept for late labels
    covariance: str = "diagonal"  # of a class of the Gaussian head
    rehearsal_rows: int = 112  # feature vectors kept for rehearsal
    rehearsal_windows: int = 16  # windows kept for it

    @property
    def n_channels(self) -> int:
        """Values per sample."""
        return 3 if self.axes == "all" else 1

    @property
    def n_inputs(self) -> int:
        """Values per window: the length of the net's input."""
        return self.window_len * self.n_channels

    def __post_init__(self) -> None:
        for field, allowed in (
            ("axes", AXES),
            ("centring", CENTRINGS),
            ("error_source", ERROR_SOURCES),
            ("covariance", COVARIANCES),
        ):
            if getattr(self, field) not in allowed:
                raise BundleError(
                    f"{field} is {getattr(self, field)!r}; it must be one of {', '.join(allowed)}"
                )
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown or not self.features or len(set(self.features)) != len(self.features):
            raise BundleError(
                f"features are {', '.join(self.features) or 'none'}; choose from "
                f"{', '.join(FEATURES)}, each once"
            )
        for field, lowest, highest in (
            ("window_len", 2, 65535),
            ("hop", 1, 65535),
            ("max_classes", 1, 65535),
            ("ring_len", 0, 65535),
            ("rehearsal_rows", 0, 65535),
            ("rehearsal_windows", 0, 65535),
        ):
            if not lowest <= getattr(self, field) <= highest:
                raise BundleError(
                    f"{field} is {getattr(self, field)}; it must be {lowest} to {highest}"
                )
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            raise BundleError(f"rate_hz is {self.rate_hz}; it must be 0 to {MAX_RATE_HZ:g}")
        numbers = (*self.projection, *self.centre, *self.scale, self.offset)
        if not all(abs(number) <= MAX_SCALE for number in numbers):
            raise BundleError(
                f"projection, centre, scale and offset must be numbers of at most {MAX_SCALE:g}"
            )
        if self.axes == "projection" and not any(self.projection):
            raise BundleError(
                "the projection is 0,0,0: that is no direction, nothing is seen in it"
            )
        if not any(self.scale[: self.n_channels]):
            raise BundleError("the scale is 0: all windows would be alike to the net")

    def to_bytes(self) -> bytes:
        """The PIPE section's payload."""
        bits = sum(1 << i for i, name in enumerate(FEATURES) if name in self.features)
        return _PIPE.pack(
            self.rate_hz,
            self.window_len,
            self.hop,
            AXES.index(self.axes),
            CENTRINGS.index(self.centring),
            bits,
            ERROR_SOURCES.index(self.error_source),
            *self.projection,
            *self.centre,
            *self.scale,
            self.offset,
        )

    def limits_to_bytes(self) -> bytes:
        """The LIMS section's payload."""
        return _LIMS.pack(
            self.max_classes,
            self.ring_len,
            COVARIANCES.index(self.covariance),
            0,
            self.rehearsal_rows,
            self.rehearsal_windows,
            0,
        )

    @classmethod
    def from_bytes(cls, pipe: bytes, lims: bytes) -> Pipeline:
        """Reads PIPE and LIMS back."""
        if len(pipe) != _PIPE.size or len(lims) != _LIMS.size:
            raise BundleError("the model image's PIPE or LIMS section has the wrong length")
        f = _PIPE.unpack(pipe)
        axes, centring, bits, source = f[3:7]
        max_classes, ring_len, covariance, zero, rows, windows, zeros = _LIMS.unpack(lims)
        if axes >= len(AXES) or centring >= len(CENTRINGS) or source >= len(ERROR_SOURCES):
            raise BundleError("the model image's PIPE section has an unknown option")
        if covariance >= len(COVARIANCES) or zero or zeros:
            raise BundleError("the model image's LIMS section has an unknown option")
        return cls(
            rate_hz=f[0],
            window_len=f[1],
            hop=f[2],
            axes=AXES[axes],
            centring=CENTRINGS[centring],
            projection=f[7:10],
            centre=f[10:13],
            scale=f[13:16],
            offset=f[16],
            features=tuple(name for i, name in enumerate(FEATURES) if bits >> i & 1),
            error_source=ERROR_SOURCES[source],
            max_classes=max_classes,
            ring_len=ring_len,
            covariance=COVARIANCES[covariance],
            rehearsal_rows=rows,
            rehearsal_windows=windows,
        )


@dataclass(frozen=True, eq=False)
class HeadStart:
    """The decoder's last layer as training left it: where fine-tuning starts.

    weights: (n_outputs, n_hidden) float32; bias: (n_outputs,) float32, or None without one.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32] | None

    def to_bytes(self) -> bytes:
        """The RECO section's payload."""
        n_out, n_in = self.weights.shape
        has_bias = self.bias is not None
        payload = _LAYER.pack(n_in, n_out, has_bias, 0, 0, 0, 0)
        payload += np.ascontiguousarray(self.weights, "<f4").tobytes()
        if self.bias is not None:
            payload += np.ascontiguousarray(self.bias, "<f4").tobytes()
        return payload


def settings_to_bytes(settings: dict[str, float]) -> bytes:
    """The SETT section's payload, in the order of the core's table."""
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise BundleError(
            f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(SETTINGS))}"
        )
    for name, value in settings.items():
        info = SETTINGS[name]
        whole = isinstance(value, (int, float)) and (not info.integral or value == int(value))
        if not (whole and info.minimum <= value <= info.maximum):
            kind = "a whole number" if info.integral else "a number"
            raise BundleError(
                f"{name} is {value!r}; it must be {kind} from {info.minimum:g} to {info.maximum:g}"
            )
    chosen = [(s.id, settings[name]) for name, s in SETTINGS.items() if name in settings]
    return struct.pack("<HH", len(chosen), 0) + b"".join(
        struct.pack("<HHf", number, 0, value) for number, value in chosen
    )


def settings_from_bytes(payload: bytes) -> dict[str, float]:
    """Reads a SETT section back: names and float32 values."""
    names = {info.id: name for name, info in SETTINGS.items()}
    if len(payload) < 4 or len(payload) != 4 + 8 * struct.unpack_from("<H", payload)[0]:
        raise BundleError("the model image's SETT section is malformed")
    entries = list(struct.iter_unpack("<HHf", payload[4:]))
    unknown = [number for number, _, _ in entries if number not in names]
    if unknown:
        raise BundleError(f"the model image has a setting {unknown[0]} that is not known here")
    # The shortest decimal that is the same float32: 0.1, not 0.10000000149.
    return {names[number]: float(str(np.float32(value))) for number, _, value in entries}


def model_id_of(sections: Mapping[str, bytes]) -> str:
    """The model id in hex: of the sections that decide what is computed."""
    digest = hashlib.sha256(struct.pack("<H", ARITHMETIC_VERSION))
    for tag in IDENTITY:
        payload = sections[tag]
        digest.update(_SECTION.pack(tag.encode(), len(payload)) + payload)
    return digest.hexdigest()[:16]


def pack_model_image(
    pipeline: Pipeline,
    net_blob: bytes,
    head: HeadStart,
    settings: dict[str, float],
    normal: NormalStart,
    golden: GoldenVectors,
) -> bytes:
    """The whole image, its model id worked out from the sections that decide the computation."""
    sections = {
        "PIPE": pipeline.to_bytes(),
        "LIMS": pipeline.limits_to_bytes(),
        "NETB": net_blob + bytes(-len(net_blob) % 4),
        "RECO": head.to_bytes(),
        "SETT": settings_to_bytes(settings),
        "NORM": normal.to_bytes(),
        "TEST": golden.to_bytes(),
    }
    body = b"".join(
        _SECTION.pack(tag.encode(), len(payload)) + payload for tag, payload in sections.items()
    )
    model_id = bytes.fromhex(model_id_of(sections))
    total = _HEADER.size + len(body) + 4
    image = _HEADER.pack(MAGIC, FORMAT_VERSION, ARITHMETIC_VERSION, model_id, total) + body
    return image + struct.pack("<I", zlib.crc32(image))


def read_sections(
    image: bytes, magic: bytes, what: str, format_version: int = FORMAT_VERSION
) -> tuple[str, dict[str, bytes]]:
    """Model id (hex) and the sections of a model or state image; BundleError if damaged."""
    if len(image) < _HEADER.size + 4:
        raise BundleError(f"the {what} is truncated: {len(image)} bytes")
    found, version, arithmetic, model_id, total = _HEADER.unpack_from(image)
    if found != magic:
        raise BundleError(f"not a {what}: it starts with {found!r}, not {magic!r}")
    if version != format_version:
        raise BundleError(
            f"the {what} has format version {version}; this program reads {format_version}"
        )
    if total != len(image):
        raise BundleError(f"the {what} says {total} bytes but has {len(image)}: truncated?")
    if zlib.crc32(image[:-4]) != struct.unpack("<I", image[-4:])[0]:
        raise BundleError(f"the {what} is damaged: its CRC-32 does not match")
    if arithmetic != ARITHMETIC_VERSION:
        raise BundleError(
            f"the {what} has arithmetic version {arithmetic}; this program has {ARITHMETIC_VERSION}"
        )
    sections: dict[str, bytes] = {}
    at, end = _HEADER.size, len(image) - 4
    while at < end:
        if at + _SECTION.size > end:
            raise BundleError(f"the {what} is malformed at byte {at}")
        tag, length = _SECTION.unpack_from(image, at)
        at += _SECTION.size
        name = tag.decode("ascii", "backslashreplace")
        if at + length > end or name in sections:
            raise BundleError(f"the {what} is malformed at section {one_line(name)}")
        sections[name] = image[at : at + length]
        at += length
    return model_id.hex(), sections
