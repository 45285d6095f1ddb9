"""The client's messages and frames, against the specification written down a second time."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import wire_by_hand
from faulty_link import DeviceInProcess
from hypothesis import given
from hypothesis import strategies as st

from tinyol_host import requests
from tinyol_host.errors import ProtocolError, RefusedError
from tinyol_host.events import (
    Changed,
    Log,
    Notice,
    NoticeKind,
    Prediction,
    Samples,
    parse_event,
)
from tinyol_host.framing import FrameParser, encode_frame
from tinyol_host.paged_replies import ClassPage, ClassStatus, ClassStatusPage, SettingsPage
from tinyol_host.protocol import (
    MAX_MESSAGE_BYTES,
    EventType,
    Kind,
    Message,
    Opcode,
    foreign_version_of_hello,
)
from tinyol_host.replies import (
    BoardMetrics,
    Identity,
    Info,
    Reply,
    SelfTest,
    StepCounts,
    two_u16,
)
from tinyol_host.watch_replies import Alarm, Alarms, UnknownEvent, Unknowns, Watch
from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    flagged = draw(st.booleans())
    return Message(
        kind=draw(st.sampled_from(Kind)),
        opcode=draw(st.integers(0, 255)),
        session=draw(U16),
        sequence=draw(U16),
        boot_id=draw(U32),
        payload=draw(st.binary(max_size=488)),
        flags=int(flagged),
        trailer=draw(st.binary(min_size=8, max_size=8)) if flagged else b"",
    )


@given(messages())
def test_a_message_reads_back_as_it_was_written(message: Message) -> None:
    raw = message.to_bytes()
    assert Message.from_bytes(raw) == message
    assert len(raw) == 16 + len(message.payload) + len(message.trailer)


@given(messages(), st.data())
def test_no_other_length_is_a_message(message: Message, data: st.DataObject) -> None:
    raw = message.to_bytes()
    cut = data.draw(st.integers(0, len(raw) - 1))
    for wrong in (raw[:cut], raw + b"\0"):
        with pytest.raises(ProtocolError):
            Message.from_bytes(wrong)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = Message.from_bytes(data)
    except ProtocolError:
        return
    assert message.to_bytes() == data


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, 3, "version 3, this program version 2; update this program"),
        (0, 1, "update the firmware"),
        (0, 0, "update the firmware"),
        (1, 0, "kind"),
        (1, 4, "kind"),
        (3, 2, "reserved"),
        (14, 1, "reserved"),
    ],
)
def test_a_header_that_is_not_so_is_refused(at: int, value: int, says: str) -> None:
    raw = bytearray(Message(Kind.REPLY, Opcode.PING, 1, 2, 3, b"abc").to_bytes())
    raw[at] = value
    with pytest.raises(ProtocolError, match=says):
        Message.from_bytes(bytes(raw))


def test_only_a_reply_to_hello_tells_another_version() -> None:
    raw = bytearray(Message(Kind.REPLY, Opcode.HELLO, 1, 2, 3, b"").to_bytes())
    assert foreign_version_of_hello(bytes(raw)) is None
    raw[0] = 3
    assert foreign_version_of_hello(bytes(raw)) == 3
    raw[2] = Opcode.PING
    assert foreign_version_of_hello(bytes(raw)) is None


def test_what_does_not_fit_a_header_is_refused() -> None:
    for message in (
        Message(Kind.REQUEST, Opcode.PING, 65536, 1, 1, b""),
        Message(Kind.REQUEST, Opcode.PING, 1, 1, -1, b""),
        Message(Kind.REQUEST, Opcode.IMAGE_WRITE, 1, 1, 1, b"x" * (MAX_MESSAGE_BYTES - 15)),
        Message(Kind.REQUEST, Opcode.PING, 1, 1, 1, b"", flags=1),
    ):
        with pytest.raises(ProtocolError):
            message.to_bytes()


# --- frames ------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=MAX_MESSAGE_BYTES))
def test_frames_are_those_written_by_hand(message: bytes) -> None:
    assert encode_frame(message) == wire_by_hand.encode_frame(message)
    assert wire_by_hand.decode_frame(encode_frame(message)[:-1]) == message


@given(
    st.lists(st.binary(min_size=1, max_size=MAX_MESSAGE_BYTES), max_size=6),
    st.lists(st.integers(0, 1500), max_size=8),
)
def test_frames_come_back_from_pieces_of_any_size(parts: list[bytes], cuts: list[int]) -> None:
    raw = b"\0".join([b"", *(encode_frame(part) for part in parts)])  # with empty frames between
    ends = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    parser = FrameParser()
    found = [m for a, b in pairwise(ends) for m in parser.push(raw[a:b])]
    assert found == parts
    assert parser.bad_frames == 0


@given(st.binary(max_size=700), st.integers(0, 10))
def test_a_parser_finds_its_place_again(noise: bytes, flips: int) -> None:
    good = b"after the noise"
    broken = bytearray(encode_frame(b"a message that is hit"))
    broken[1 + flips] ^= 0x40
    parser = FrameParser()
    first = parser.push(noise + b"\0" + bytes(broken) + b"\0" + encode_frame(good))
    assert first[-1:] == [good]
    assert parser.bad_frames >= 1


def test_an_endless_frame_is_one_bad_frame() -> None:
    parser = FrameParser()
    for _ in range(1000):
        assert parser.push(b"\x05" * 1000) == []
    assert parser.push(b"\0" + encode_frame(b"next")) == [b"next"]
    assert parser.bad_frames == 1


# --- the by-hand client speaks with the client's own messages ----------------------------


class Overheard:
    """A machine for wire_by_hand.Wire: the real server, every frame taken apart by the client."""

    def __init__(self) -> None:
        self.device = DeviceInProcess()
        self.requests: list[Message] = []
        self._parser = FrameParser()

    def write(self, data: bytes) -> None:
        for raw in self._parser.push(data):
            message = Message.from_bytes(raw)
            assert message.to_bytes() == raw
            self.requests.append(message)
            self.device.receive(raw)

    def read(self, timeout: float) -> bytes:
        return b"".join(encode_frame(Message.from_bytes(m).to_bytes()) for m in self.device.take())


def test_requests_are_those_written_by_hand() -> None:
    machine = Overheard()
    wire = wire_by_hand.open_wire(cast(Any, machine))
    samples = np.arange(90, dtype=np.float32).reshape(30, 3)
    wire.add_class("normal")
    wire.request(wire_by_hand.FEED_BEGIN)
    wire.feed(samples)
    assert machine.requests == [
        Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, requests.hello(1)),
        Message(Kind.REQUEST, Opcode.CLASS_ADD, 1, 1, 77, requests.class_add("normal")),
        Message(Kind.REQUEST, Opcode.FEED_BEGIN, 1, 2, 77, b""),
        Message(Kind.REQUEST, Opcode.FEED, 1, 3, 77, requests.feed(samples)),
    ]


def test_request_payloads() -> None:
    assert requests.setting_set(3, 0.5) == struct.pack("<HHf", 3, 0, 0.5)
    assert requests.settings_list(43) == b"\x2b\0"
    assert requests.classes_list(7) == b"\x07\0"
    assert requests.class_status(7) == b"\x07\0"
    assert requests.class_rename(2, "ä") == b"\x02\0\x02\xc3\xa4"
    assert requests.class_remove(2) == b"\x02\0"
    assert requests.label(None) == struct.pack("<hHI", -1, 0, 0xFFFFFFFF)
    assert requests.label(2, 20) == struct.pack("<hHI", 2, 0, 20)
    assert requests.label_back(1, 300) == struct.pack("<hH", 1, 300)
    assert requests.fine_tune(0) == bytes(4)
    assert requests.fine_tune(None) == b"\xff" * 4
    assert requests.relearn(1, 300) == struct.pack("<hH", 1, 300)
    assert requests.class_weight(1, 0.25) == struct.pack("<HHf", 1, 0, 0.25)
    assert requests.calibrate(200, 40) == struct.pack("<II", 40, 200)
    assert requests.calibrate(0) == bytes(8)
    assert requests.unknown_name(9, "ä") == b"\x09\0\0\0\x02\xc3\xa4"
    assert requests.stream(samples=True, log=True) == b"\x0a"
    assert requests.stream(notices=True) == b"\x10"
    assert requests.session_begin(predictions=True, changes=True) == b"\x05"
    assert requests.feed([[1, 2, 3]], gap=True) == struct.pack("<BBHfff", 1, 1, 0, 1, 2, 3)
    assert requests.image_read(300, 20) == struct.pack("<II", 300, 20)
    assert requests.image_put(300, 0xFFFFFFFF) == struct.pack("<II", 300, 0xFFFFFFFF)
    assert requests.image_write(1, b"xyz") == b"\x01\0\0\0xyz"


def test_a_double_that_is_too_large_is_sent_as_infinity() -> None:
    assert requests.feed([[1e300, 0, 0]])[4:8] == struct.pack("<f", np.inf)


@pytest.mark.parametrize(
    "build",
    [
        lambda: requests.feed(np.zeros((41, 3))),
        lambda: requests.feed(np.zeros(3)),
        lambda: requests.label(0, -1),
        lambda: requests.label(0, 0xFFFFFFFF),
        lambda: requests.label(40000),
        lambda: requests.label_back(0, 0),
        lambda: requests.label_back(0, 65536),
        lambda: requests.fine_tune(-1),
        lambda: requests.relearn(0, 0),
        lambda: requests.relearn(0, 65536),
        lambda: requests.class_weight(-1, 1.0),
        lambda: requests.class_weight(0, 1e300),
        lambda: requests.calibrate(-1),
        lambda: requests.calibrate(1 << 32),
        lambda: requests.calibrate(200, -1),
        lambda: requests.unknown_name(1 << 32, "x"),
        lambda: requests.settings_list(-1),
        lambda: requests.setting_set(70000, 0.0),
        lambda: requests.setting_set(1, 1e300),
        lambda: requests.class_add("x" * 256),
        lambda: requests.image_read(-1, 0),
    ],
)
def test_what_a_field_cannot_hold_is_refused_here(build: Any) -> None:
    with pytest.raises(DeviceError):
        build()


# --- replies and events ------------------------------------------------------------------


def outcome(status: int, at: int) -> bytes:
    return struct.pack("<b3xQ", status, at)


def test_a_refusal_says_what_was_refused() -> None:
    body = struct.pack("<32sII", b"class index of a long field name", 4, 9)
    with pytest.raises(RefusedError, match="class index of a long field name: not there") as caught:
        Reply.from_payload(outcome(-3, 12) + body)
    assert (caught.value.status, caught.value.need, caught.value.have) == (-3, 4, 9)
    with pytest.raises(RefusedError, match="update the firmware"):
        Reply.from_payload(outcome(-21, 0) + struct.pack("<32sII", b"opcode", 0, 99))
    for wrong in (b"", outcome(0, 1)[:-1], outcome(-3, 1) + body[:-1]):
        with pytest.raises(ProtocolError):
            Reply.from_payload(wrong)


def test_info_reads_every_field() -> None:
    body = struct.pack(
        "<Q3I3I3IIIhHB3xI9I",
        *(*range(1, 11), 11, 0xFFFFFFFF, -1, 2, 1, 0),
        *(*range(20, 25), 3, 25, 26, 5),
    )
    info = Info.from_bytes(99, body)
    assert info == Info(
        at=99,
        windows=1,
        gaps=2,
        refused_samples=3,
        refused_windows=4,
        classifier=StepCounts(5, 6, 7),
        reconstruction=StepCounts(8, 9, 10),
        clamped_targets=11,
        fine_tune_left=None,
        label=None,
        label_left=0,
        n_classes=2,
        feeding=True,
        malformed=20,
        repeated=21,
        refused=22,
        lost_peers=23,
        lost_events=24,
        self_test_ok=True,
        saves=25,
        wear=26,
        has_store=True,
        unsaved=False,
        save_failed=True,
    )
    half = Info.from_bytes(0, body[:-16] + struct.pack("<4I", 1, 0, 0, 2))
    assert (half.has_store, half.unsaved, half.save_failed) == (False, True, False)
    assert not half.self_test_ok
    with pytest.raises(ProtocolError, match="INFO"):
        Info.from_bytes(0, body[:-4])


def test_metrics_and_lists_of_any_length() -> None:
    body = struct.pack("<IfffffffHHff", 7, 0.5, 0.25, 1.5, 2.5, 1, 2, 3, 2, 0, 0.75, 0.125)
    metrics = BoardMetrics.from_bytes(5, body)
    assert metrics == BoardMetrics(
        5, 7, 0.5, 0.25, 1.5, 2.5, {0.5: 1.0, 0.9: 2.0, 0.99: 3.0}, (0.75, 0.125)
    )
    assert ClassPage.from_bytes(b"\x05\0\x01\0normal" + bytes(10)) == ClassPage(5, ("normal",))
    settings = struct.pack("<HHHHfHHf", 43, 2, 7, 0, 0.5, 9, 0, 2)
    assert SettingsPage.from_bytes(settings) == SettingsPage(43, {7: 0.5, 9: 2.0})
    status = struct.pack("<HHIffIff", 5, 2, 12, 0.5, 20.25, 3, 1.0, 0.0)
    assert ClassStatusPage.from_bytes(status) == ClassStatusPage(
        5, (ClassStatus(12, 0.5, 20.25), ClassStatus(3, 1.0, 0.0))
    )
    for page, good in ((SettingsPage, settings), (ClassStatusPage, status)):
        for wrong in (good[:-1], good[:3], good + b"\0"):
            with pytest.raises(ProtocolError):
                page.from_bytes(wrong)
    assert two_u16(b"\x02\0\x07\0") == (2, 7)
    assert SelfTest.from_bytes(struct.pack("<4I", 1, 1, 2, 2)).passed
    assert not SelfTest.from_bytes(struct.pack("<4I", 1, 1, 2, 3)).passed
    for wrong in (body[:-4], body[:20], body + b"\0"):
        with pytest.raises(ProtocolError):
            BoardMetrics.from_bytes(5, wrong)


def test_what_was_noticed_reads_every_field() -> None:
    alarms = struct.pack("<IHHQQIf", 9, 1, 0, 100, 164, 2, 1.5)
    assert Alarms.from_bytes(7, alarms) == Alarms(7, 9, (Alarm(100, 164, 2, 1.5),))
    unknowns = struct.pack(
        "<IBBHIQQIfBBHIQQIfBBH",
        8,
        1,
        2,
        0,
        8,
        400,
        464,
        5,
        2.5,
        0,
        0,
        3,
        7,
        10,
        20,
        6,
        1.25,
        1,
        0,
        24,
    )
    older = UnknownEvent(7, 10, 20, 6, 1.25, named=True, kept=24, open=False)
    latest = UnknownEvent(8, 400, 464, 5, 2.5, named=False, kept=3, open=True)
    assert Unknowns.from_bytes(7, unknowns) == Unknowns(7, 8, (latest, older))
    assert Unknowns.from_bytes(7, bytes(8)) == Unknowns(7, 0, ())
    watch = struct.pack(
        "<I2f3fffI4BII3f3f3f",
        *(60, -1.0, -2.0, 0.5, 0.25, 0.75, 11.5, 0.125, 3, 1, 0, 1, 0, 40, 200),
        *(0.0, 0.5, 1.0, 0.0, 1.0, 0.25, 12.5, 6.0, 0.5),
    )
    assert len(watch) == 84
    assert Watch.from_bytes(7, watch) == Watch(
        at=7,
        normal_windows=60,
        mean=(-1.0, -2.0),
        covariance=(0.5, 0.25, 0.75),
        limit=11.5,
        score=0.125,
        alarms=3,
        alarm=True,
        moved=False,
        changed=True,
        unknown=False,
        calibration_steps_left=40,
        calibration_windows_left=200,
        gravity_reference=(0.0, 0.5, 1.0),
        gravity=(0.0, 1.0, 0.25),
        tilt_deg=12.5,
        up=6.0,
        down=0.5,
    )
    for reply, good in ((Alarms, alarms), (Unknowns, unknowns), (Watch, watch)):
        for wrong in (good[:-1], good[:5], good + b"\0"):
            with pytest.raises(ProtocolError):
                reply.from_bytes(7, wrong)
    for reply, lying in ((Alarms, alarms[:8]), (Unknowns, unknowns[:40])):
        with pytest.raises(ProtocolError, match="says"):
            reply.from_bytes(7, lying)


def test_what_the_device_itself_answers() -> None:
    device = DeviceInProcess()

    def ask(sequence: int, opcode: Opcode, payload: bytes = b"") -> Reply:
        boot_id, session = (77, 1) if sequence else (0, 0)
        message = Message(Kind.REQUEST, opcode, session, sequence, boot_id, payload)
        device.receive(message.to_bytes())
        return Reply.from_payload(Message.from_bytes(device.take()[-1]).payload)

    identity = Identity.from_bytes(ask(0, Opcode.HELLO, requests.hello(5)).body)
    assert (identity.board, identity.firmware_version) == ("sim", "0.1.0")
    assert (identity.rate_hz, identity.window_len, identity.hop) == (50.0, 12, 5)
    assert identity.model_id == device.bundle.model_id
    assert not identity.has_sensor
    assert ask(1, Opcode.CLASS_ADD, requests.class_add("normal")).body == bytes(4)
    assert ClassPage.from_bytes(ask(2, Opcode.CLASSES_LIST, bytes(2)).body).names == ("normal",)
    page = SettingsPage.from_bytes(ask(3, Opcode.SETTINGS_LIST, requests.settings_list()).body)
    settings = page.values
    assert page.total == len(SETTINGS)
    assert set(settings) == {info.id for info in SETTINGS.values()}
    assert settings[SETTINGS["anomaly.threshold"].id] == 5.0
    assert BoardMetrics.from_bytes(0, ask(4, Opcode.METRICS).body).f1 == (0.0,)
    info = Info.from_bytes(0, ask(5, Opcode.INFO).body)
    assert (info.n_classes, info.label, info.fine_tune_left) == (1, None, 0)
    assert SelfTest.from_bytes(ask(6, Opcode.SELF_TEST).body).passed
    status = ClassStatusPage.from_bytes(ask(7, Opcode.CLASS_STATUS, requests.class_status()).body)
    assert status == ClassStatusPage(1, (ClassStatus(0, 1.0, 0.0),))
    assert Unknowns.from_bytes(0, ask(8, Opcode.UNKNOWNS).body) == Unknowns(0, 0, ())
    assert ask(9, Opcode.CLASS_WEIGHT, requests.class_weight(0, 4.0)).body == b""
    assert ask(10, Opcode.CALIBRATE, requests.calibrate(50, 7)).body == bytes(4)  # no alarm
    watch = Watch.from_bytes(0, ask(11, Opcode.WATCH).body)
    assert (watch.calibration_steps_left, watch.calibration_windows_left) == (7, 50)
    assert (watch.alarm, watch.moved, watch.changed, watch.unknown) == (False,) * 4
    status = ClassStatusPage.from_bytes(ask(12, Opcode.CLASS_STATUS, requests.class_status()).body)
    assert status.classes[0].weight == 4.0


def event(kind: int, payload: bytes) -> Message:
    return Message(Kind.EVENT, kind, 1, 1, 1, payload)


def test_events_read_every_field() -> None:
    numbers = struct.pack("<QQ7fhh4B", 100, 7, 0.5, 0.25, -1, 0.75, 2, 3, 4, -1, 3, 1, 0, 1, 2)
    assert parse_event(event(EventType.PREDICTION, numbers)) == Prediction(
        100, 7, 0.5, 0.25, -1.0, 0.75, 2.0, 3.0, 4.0, -1, 3, True, False, True, False, True
    )
    standing = parse_event(event(EventType.PREDICTION, numbers[:-1] + b"\1"))
    assert isinstance(standing, Prediction)
    assert (standing.alarm, standing.unknown) == (True, False)
    notice = struct.pack("<BBhIQQIf", 2, 1, -1, 9, 100, 164, 5, 2.5)
    assert parse_event(event(EventType.NOTICE, notice)) == Notice(
        NoticeKind.UNKNOWN, True, None, 9, 100, 164, 5, 2.5
    )
    changed = parse_event(event(EventType.NOTICE, struct.pack("<BBhIQQIf", 4, 2, 3, *[0] * 5)))
    assert changed == Notice(NoticeKind.CHANGED, False, 3, 0, 0, 0, 0, 0.0)
    for unheard_of in (b"\6" + notice[1:], notice[:1] + b"\3" + notice[2:]):
        with pytest.raises(ProtocolError):
            parse_event(event(EventType.NOTICE, unheard_of))
    change = struct.pack("<BBHQ", Opcode.LABEL, 1, 0, 40) + b"payload"
    assert parse_event(event(EventType.CHANGED, change)) == Changed(16, True, 40, b"payload")
    log = struct.pack("<B3xQ", 2, 9) + "wärm".encode()
    assert parse_event(event(EventType.LOG, log)) == Log(2, 9, "wärm")
    xyz = np.array([[1, 2, 3], [np.nan, np.inf, 4]], "<f4")
    samples = parse_event(
        event(EventType.SAMPLES, struct.pack("<QBBH", 5, 2, 1, 0) + xyz.tobytes())
    )
    assert isinstance(samples, Samples)
    assert (samples.first, samples.gap) == (5, True)
    np.testing.assert_array_equal(samples.samples, xyz)


@given(st.integers(0, 255), st.binary(max_size=200))
def test_any_event_is_read_or_refused(kind: int, payload: bytes) -> None:
    try:
        parse_event(event(kind, payload))
    except ProtocolError:
        return
    assert kind in set(EventType)
