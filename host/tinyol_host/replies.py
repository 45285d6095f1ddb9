"""What replies carry, as frozen dataclasses. Fields and order: docs/wire-protocol.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tinyol_host.access.device_key import NO_KEY_ID
from tinyol_host.access.messages import AUTHENTICATED, PAIRED
from tinyol_host.errors import ProtocolError, RefusedError
from tinyol_host.payloads import exactly, text
from tinyol_host.protocol import UNTIL_STOPPED

CAPABILITY_KERNELS, CAPABILITY_TFLM, CAPABILITY_SENSOR = 1, 2, 4
CAPABILITY_LED, CAPABILITY_MODEL = 8, 16
STORE_THERE, STORE_UNSAVED, STORE_FAILED = 1, 2, 4
ERROR_QUANTILES = (0.5, 0.9, 0.99)

_OUTCOME = struct.Struct("<b3xQ")
_REFUSAL = struct.Struct("<32sII")
_IDENTITY = struct.Struct("<HHIIHH8sfHHHHHHHHI16sB3x8s")
_INFO = struct.Struct("<QIII3I3IIIhHB3xIIIIIIIIII")
_METRICS = struct.Struct("<IfffffffHH")


@dataclass(frozen=True)
class Reply:
    """The reply to a request that was executed."""

    at: int  # index of the next sample: what was changed holds from it on
    body: bytes  # the request's own fields

    @classmethod
    def from_payload(cls, payload: bytes) -> Reply:
        """Raises RefusedError if the request was refused, ProtocolError if it is too short."""
        if len(payload) < _OUTCOME.size:
            raise ProtocolError(f"a reply of {len(payload)} bytes is too short")
        status, at = _OUTCOME.unpack_from(payload)
        body = payload[_OUTCOME.size :]
        if status == 0:
            return cls(at, body)
        where, need, have = exactly(_REFUSAL, body, "a refusal")
        raise RefusedError(status, text(where), need, have)


def status_of(payload: bytes) -> int:
    """The status of a reply; ProtocolError if it is too short to have one."""
    if len(payload) < _OUTCOME.size:
        raise ProtocolError(f"a reply of {len(payload)} bytes is too short")
    return int(_OUTCOME.unpack_from(payload)[0])


@dataclass(frozen=True)
class Identity:
    """Who answers: HELLO's reply."""

    last_sequence: int  # of the request executed last in this session
    max_message: int  # bytes that one message may have on this link
    firmware_version: str  # "0.1.0"
    capabilities: int
    arithmetic_version: int
    state_format: int
    model_id: str  # 16 hex digits; all 0 without a model, as are the sizes below
    rate_hz: float  # the model's; without one the sensor's, 0 = no sensor
    window_len: int
    hop: int
    n_features: int
    n_hidden: int
    n_outputs: int
    max_classes: int
    ring_len: int  # vectors kept for late labels
    max_image_bytes: int
    board: str
    access: int = 0  # bits, as access/messages.py names them
    key_id: str = NO_KEY_ID  # 16 hex digits; all 0 unless it was paired

    @property
    def is_paired(self) -> bool:
        """It has a key, and whoever teaches it must know that."""
        return bool(self.access & PAIRED)

    @property
    def is_authenticated(self) -> bool:
        """The board takes this session for authenticated."""
        return bool(self.access & AUTHENTICATED)

    @property
    def has_sensor(self) -> bool:
        """It has a sensor of its own; without, it must be fed."""
        return bool(self.capabilities & CAPABILITY_SENSOR)

    @property
    def kernels(self) -> list[str]:
        """What its frozen net runs on, of "own" and "TFLM"."""
        names = {CAPABILITY_KERNELS: "own", CAPABILITY_TFLM: "TFLM"}
        return [name for bit, name in names.items() if self.capabilities & bit]

    @property
    def has_led(self) -> bool:
        """LOCATE blinks it."""
        return bool(self.capabilities & CAPABILITY_LED)

    @property
    def has_model(self) -> bool:
        """Without one it senses, and neither predicts nor learns."""
        # Firmware from before there was this bit always has one.
        return bool(self.capabilities & CAPABILITY_MODEL) or self.window_len > 0

    @classmethod
    def from_bytes(cls, body: bytes) -> Identity:
        """ProtocolError if the body is not as specified."""
        last, largest, version, capabilities, arithmetic, state, model, *numbers = exactly(
            _IDENTITY, body, "HELLO's reply"
        )
        rate, window, hop, features, hidden, outputs, classes, ring, _, image, *rest = numbers
        board, access, key_id = rest
        return cls(
            last_sequence=last,
            max_message=largest,
            firmware_version=f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}",
            capabilities=capabilities,
            arithmetic_version=arithmetic,
            state_format=state,
            model_id=model.hex(),
            rate_hz=rate,
            window_len=window,
            hop=hop,
            n_features=features,
            n_hidden=hidden,
            n_outputs=outputs,
            max_classes=classes,
            ring_len=ring,
            max_image_bytes=image,
            board=text(board),
            access=access,
            key_id=key_id.hex(),
        )


@dataclass(frozen=True)
class StepCounts:
    """Steps of gradient descent, since the state began."""

    applied: int  # of the classifier: lessons
    skipped_not_finite: int
    skipped_over_limit: int


@dataclass(frozen=True)
class Info:
    """What a device does now, and what it has counted."""

    at: int  # index of the next sample
    windows: int
    gaps: int
    refused_samples: int
    refused_windows: int
    classifier: StepCounts
    reconstruction: StepCounts
    clamped_targets: int
    fine_tune_left: int | None  # steps; None = until stopped
    label: int | None  # class index
    label_left: int | None  # windows; None = until stopped
    n_classes: int
    feeding: bool  # a link feeds samples
    malformed: int  # messages; these five since boot
    repeated: int  # requests
    refused: int  # requests
    lost_peers: int
    lost_events: int
    self_test_ok: bool  # at boot: the arithmetic and the frozen net
    saves: int  # since boot
    wear: int  # erases of the most worn page of its flash; one endures 10,000
    has_store: bool  # it keeps what it learned in flash
    unsaved: bool  # it has learned since the last save
    save_failed: bool  # the last one; what was saved before is there

    @classmethod
    def from_bytes(cls, at: int, body: bytes) -> Info:
        """ProtocolError if the body is not as specified."""
        fields = exactly(_INFO, body, "INFO's reply")
        windows, gaps, refused_samples, refused_windows = fields[:4]
        clamped, fine_tune, label, n_classes, feeding, label_left = fields[10:16]
        malformed, repeated, refused, lost_peers, lost_events, self_test = fields[16:22]
        saves, wear, store = fields[22:]
        return cls(
            at=at,
            windows=windows,
            gaps=gaps,
            refused_samples=refused_samples,
            refused_windows=refused_windows,
            classifier=StepCounts(*fields[4:7]),
            reconstruction=StepCounts(*fields[7:10]),
            clamped_targets=clamped,
            fine_tune_left=_left(fine_tune),
            label=None if label < 0 else label,
            label_left=_left(label_left),
            n_classes=n_classes,
            feeding=bool(feeding),
            malformed=malformed,
            repeated=repeated,
            refused=refused,
            lost_peers=lost_peers,
            lost_events=lost_events,
            self_test_ok=self_test & 3 == 3,
            saves=saves,
            wear=wear,
            has_store=bool(store & STORE_THERE),
            unsaved=bool(store & STORE_UNSAVED),
            save_failed=bool(store & STORE_FAILED),
        )


@dataclass(frozen=True)
class BoardMetrics:
    """Prequential metrics, as `tinyol_sim.twin.Metrics` has them."""

    at: int
    labelled: int  # windows
    accuracy: float
    macro_f1: float
    mean_loss: float
    mean_error: float
    error_quantiles: dict[float, float]  # at 0.5, 0.9 and 0.99
    f1: tuple[float, ...]  # per class

    @classmethod
    def from_bytes(cls, at: int, body: bytes) -> BoardMetrics:
        """ProtocolError if the body is not as specified."""
        if len(body) < _METRICS.size:
            raise ProtocolError(
                f"METRICS' reply has {len(body)} bytes, not {_METRICS.size} or more"
            )
        labelled, *numbers, n_classes, _ = _METRICS.unpack_from(body)
        f1 = exactly(struct.Struct(f"<{n_classes}f"), body[_METRICS.size :], "METRICS' F1")
        return cls(
            at=at,
            labelled=labelled,
            accuracy=numbers[0],
            macro_f1=numbers[1],
            mean_loss=numbers[2],
            mean_error=numbers[3],
            error_quantiles=dict(zip(ERROR_QUANTILES, numbers[4:], strict=True)),
            f1=f1,
        )


@dataclass(frozen=True)
class SelfTest:
    """CRC-32 of what the device computes, and of what it should compute."""

    expected_crc: int  # of the learning script
    found_crc: int
    net_expected_crc: int  # of the frozen net's golden vectors
    net_found_crc: int

    @property
    def passed(self) -> bool:
        """Both are as expected: this device's arithmetic is the twin's."""
        return self.expected_crc == self.found_crc and self.net_expected_crc == self.net_found_crc

    @classmethod
    def from_bytes(cls, body: bytes) -> SelfTest:
        """ProtocolError if the body is not as specified."""
        return cls(*exactly(struct.Struct("<4I"), body, "SELF_TEST's reply"))


@dataclass(frozen=True)
class ImageSize:
    """A state image that is ready to be read."""

    length: int  # bytes
    crc: int  # CRC-32 of them

    @classmethod
    def from_bytes(cls, body: bytes) -> ImageSize:
        """Of IMAGE_GET and SESSION_BEGIN; ProtocolError if the body is not as specified."""
        return cls(*exactly(struct.Struct("<II"), body, "the reply about an image"))


def first_u16(body: bytes) -> int:
    """The class index of CLASS_ADD, the lessons of LABEL_BACK and RELEARN."""
    return two_u16(body)[0]


def two_u16(body: bytes) -> tuple[int, int]:
    """The class index and the lessons of UNKNOWN_NAME."""
    first, second = exactly(struct.Struct("<HH"), body, "the reply")
    return first, second


def only_u32(body: bytes) -> int:
    """The windows of FEED, the bytes so far of IMAGE_WRITE, the bytes that SAVE wrote."""
    return int(exactly(struct.Struct("<I"), body, "the reply")[0])


def _left(count: int) -> int | None:
    return None if count == UNTIL_STOPPED else count
