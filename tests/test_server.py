"""The device's side of the wire protocol: exactly once, per link, and deaf to nonsense."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from board_in_process import (
    BOOT_ID,
    CHANGED,
    LOG,
    OK,
    PREDICTION,
    SAMPLES,
    Board,
    Message,
    feed,
    name,
    noise,
    request,
)
from hypothesis import given
from hypothesis import strategies as st
from small_replay import small_bundle
from wire_by_hand import (
    CALIBRATE,
    CLASS_ADD,
    CLASS_WEIGHT,
    FEED,
    FEED_BEGIN,
    FEED_END,
    FINE_TUNE,
    HELLO,
    IMAGE_GET,
    IMAGE_READ,
    INFO,
    LABEL,
    LABEL_BACK,
    RELEARN,
    RESET,
    SELF_TEST,
    SETTING_SET,
    UNKNOWN_NAME,
    UNTIL_STOPPED,
    encode_frame,
)

from tinyol_sim._core import ffi, lib
from tinyol_sim.refusals import describe, new_refusal
from tinyol_sim.settings import SETTINGS
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

PING, GOODBYE, SETTINGS_LIST, CLASSES_LIST = 3, 4, 8, 12
CLASS_RENAME, STREAM, SESSION_BEGIN = 14, 24, 33
IMAGE_PUT, IMAGE_WRITE, IMAGE_COMMIT = 38, 39, 40
FULL, BUSY, BAD_SEQUENCE, NO_SESSION, REBOOTED, UNKNOWN = -2, -17, -18, -19, -20, -21


@pytest.fixture
def board() -> Board:
    board = Board()
    board.hello()
    return board


def test_a_repeated_request_is_answered_from_memory(board: Board) -> None:
    first = board.ask(CLASS_ADD, name("normal"))
    assert (first.status, first.body) == (OK, b"\0\0\0\0")
    (again,) = board.write(board.current(CLASS_ADD, name("normal")))
    assert again == first
    assert struct.unpack_from("<H", board.ask(CLASSES_LIST, b"\0\0").body) == (1,)


def test_a_request_out_of_order_is_not_executed(board: Board) -> None:
    for sequence in (0, 2, 3, 65535):
        if sequence == 0:
            continue  # nothing was executed yet: there is no reply to remember
        (reply,) = board.write(request(CLASS_ADD, name("x"), board.sessions[0], sequence, BOOT_ID))
        assert reply.status == BAD_SEQUENCE
        assert struct.unpack_from("<I", reply.body, 32) == (1,)
    assert struct.unpack_from("<H", board.ask(CLASSES_LIST, b"\0\0").body) == (0,)


def test_sequence_numbers_wrap(board: Board) -> None:
    for _ in range(65540):
        board.sequences[0] = (board.sequences[0] + 1) % 65536
        lib.tinyol_board_receive(board.handle, 0, board.current(PING), 16, 0)
        lib.tinyol_board_take(board.handle, 0, ffi.new("uint8_t[512]"))
    assert board.ask(PING).status == OK


def test_no_session_and_another_boot(board: Board) -> None:
    (reply,) = board.write(request(PING, b"", board.sessions[0], 1, BOOT_ID + 1))
    assert reply.status == REBOOTED
    (reply,) = board.write(request(PING, b"", board.sessions[0] + 1, 1, BOOT_ID))
    assert reply.status == NO_SESSION
    (reply,) = board.write(request(PING, b"", board.sessions[0], 1, BOOT_ID), link=1)
    assert reply.status == NO_SESSION
    assert board.ask(PING).status == OK


def test_the_same_nonce_resumes_and_another_begins_anew(board: Board) -> None:
    board.ask(CLASS_ADD, name("normal"))
    lib.tinyol_board_drop(board.handle, 0)
    session = board.sessions[0]
    board.hello(nonce=1)
    assert (board.sessions[0], board.sequences[0]) == (session, 1)
    # The reply was lost with the link: the repeat is answered from memory.
    assert board.write(board.current(CLASS_ADD, name("normal")))[0].status == OK
    board.hello(nonce=2)
    assert board.sessions[0] != session
    assert board.sequences[0] == 0
    assert board.ask(CLASS_ADD, name("normal")).status == -4


def test_links_have_sessions_of_their_own(board: Board) -> None:
    board.hello(link=1, nonce=9)
    assert board.ask(CLASS_ADD, name("a"), link=0).status == OK
    assert board.ask(CLASS_ADD, name("b"), link=1).status == OK
    board.replies(0)
    changed = [event for event in board.events if event.opcode == CHANGED]
    assert [event.body[0] for event in changed] == [CLASS_ADD, CLASS_ADD]


def test_while_one_link_feeds_the_other_may_look_but_not_touch(board: Board) -> None:
    board.hello(link=1, nonce=9)
    assert board.ask(FEED_BEGIN).status == OK
    assert board.ask(CLASS_ADD, name("a"), link=1).status == BUSY
    assert board.ask(FEED, feed(noise(3)), link=1).status == BUSY
    assert board.ask(INFO, link=1).status == OK
    before = board.ask(INFO).next_sample
    board.sense(noise(50))
    assert board.ask(INFO).next_sample == before  # the own sensor is not heard
    assert board.ask(FEED_END).status == OK
    assert board.ask(CLASS_ADD, name("a"), link=1).status == OK
    board.sense(noise(5))
    assert board.ask(INFO).next_sample == before + 5


def test_a_fed_board_is_the_twin(board: Board) -> None:
    twin = Twin(small_bundle())
    samples = noise(400)
    samples[123, 1] = np.nan
    assert board.ask(FEED_BEGIN).status == OK
    twin.gap()
    assert board.ask(CLASS_ADD, name("a")).status == OK
    assert board.ask(LABEL, struct.pack("<hHI", 0, 0, 5)).status == OK
    twin.add_class("a")
    twin.label("a", 5)
    for at in range(0, 400, 40):
        reply = board.ask(FEED, feed(samples[at : at + 40], gap=at == 200))
        assert reply.next_sample == at + 40
    twin.feed(samples, gaps=[200])
    assert board.ask(FEED_END).status == OK
    twin.gap()
    assert board.state() == twin.state


def test_predictions_come_as_counted_events(board: Board) -> None:
    board.ask(STREAM, b"\x03")
    board.sense(noise(60))
    board.replies()
    predictions = [event for event in board.events if event.opcode == 1]
    raw = b"".join(event.body[12:] for event in board.events if event.opcode == 2)
    windows = Twin(small_bundle()).feed(noise(60))
    assert len(predictions) == len(windows)
    for event, error in zip(predictions, windows.error, strict=True):
        assert struct.unpack_from("<f", event.body, 16) == (error,)
    assert [event.sequence for event in board.events] == list(range(1, len(board.events) + 1))
    assert raw == noise(60)[: len(raw) // 12].astype("<f4").tobytes()
    assert 60 - len(raw) // 12 < 8


def test_an_image_moves_in_checked_chunks(board: Board) -> None:
    board.ask(CLASS_ADD, name("a"))
    length, crc = struct.unpack("<II", board.ask(IMAGE_GET).body)
    board.sense(noise(100))  # goes on meanwhile; the staged image does not change
    board.hello(link=1, nonce=9)
    assert board.ask(IMAGE_PUT, struct.pack("<II", 1, 0), link=1).status == BUSY
    assert board.ask(IMAGE_READ, struct.pack("<II", length, 1)).status == -6
    chunks = [
        board.ask(IMAGE_READ, struct.pack("<II", at, min(300, length - at))).body
        for at in range(0, length, 300)
    ]
    image = b"".join(chunks)
    assert zlib.crc32(image) == crc
    assert board.ask(IMAGE_PUT, struct.pack("<II", 100, 0), link=1).status == OK  # it is done

    other = Board()
    other.hello()
    assert other.ask(IMAGE_PUT, struct.pack("<II", length, crc)).status == OK
    assert other.ask(IMAGE_COMMIT).status == -8  # nothing has come yet
    assert other.ask(IMAGE_WRITE, struct.pack("<I", 300) + chunks[1]).status == -6  # a hole
    for at, chunk in enumerate(chunks):
        reply = other.ask(IMAGE_WRITE, struct.pack("<I", 300 * at) + chunk)
    assert struct.unpack("<I", reply.body) == (length,)
    assert other.ask(IMAGE_COMMIT).status == OK
    assert other.state() == image


def test_a_damaged_image_changes_nothing(board: Board) -> None:
    image = bytearray(board.state())
    image[60] ^= 1
    before = board.state()
    board.ask(IMAGE_PUT, struct.pack("<II", len(image), zlib.crc32(image)))
    for at in range(0, len(image), 400):
        board.ask(IMAGE_WRITE, struct.pack("<I", at) + image[at : at + 400])
    assert board.ask(IMAGE_COMMIT).status == -11
    assert board.state() == before
    assert board.ask(IMAGE_PUT, struct.pack("<II", 1 << 30, 0)).status == -7


def test_a_silent_peer_is_dropped(board: Board) -> None:
    almost = 2**32 - 5000  # the clock wraps while the peer is silent
    board.hello(now_ms=almost)
    board.ask(FEED_BEGIN, now_ms=almost)
    board.ask(STREAM, b"\x01", now_ms=almost)
    lib.tinyol_board_tick(board.handle, 4999)
    assert board.ask(PING, now_ms=4999).status == OK
    lib.tinyol_board_tick(board.handle, 15_001)
    (reply,) = board.write(board.current(PING), now_ms=15_001)
    assert reply.status == NO_SESSION
    board.sense(noise(60))
    assert board.replies() == []
    assert board.events == []
    board.hello(nonce=1)
    assert board.ask(INFO).next_sample == 60  # no longer fed: the sensor was heard


def test_refusals_name_what_and_change_nothing(board: Board) -> None:
    before = board.state()
    for opcode, payload, status in (
        (99, b"", UNKNOWN),
        (CLASS_ADD, name("x" * 16), -5),
        (CLASS_ADD, b"\x05abc", -15),
        (LABEL, struct.pack("<hHI", 3, 0, 1), -3),
        (SETTING_SET, struct.pack("<HHf", 1, 0, np.nan), -1),
        (SETTING_SET, struct.pack("<HHf", 999, 0, 1.0), -3),
        (FEED, feed(noise(1)), -3),
        (FEED_END, b"", -3),
        (IMAGE_COMMIT, b"", -3),
        (RESET, b"\0", -15),
    ):
        reply = board.ask(opcode, payload)
        assert reply.status == status, (opcode, reply)
        assert len(reply.body) == 40
    assert board.state() == before


def test_self_test_passes_here(board: Board) -> None:
    expected, found, net_expected, net_found = struct.unpack("<IIII", board.ask(SELF_TEST).body)
    assert (expected, net_expected) == (found, net_found)
    assert struct.unpack_from("<I", board.ask(INFO).body, 84) == (3,)


@pytest.mark.parametrize("max_message", [0, 64, 127, 513])
def test_a_link_carries_at_least_128_bytes(max_message: int) -> None:
    image, refusal = small_bundle().model_image, new_refusal()
    board = lib.tinyol_board_new(image, len(image), BOOT_ID, max_message, refusal)
    assert board == ffi.NULL
    assert describe(refusal).startswith("max_message: out of range")


def test_nothing_is_longer_than_the_link_carries() -> None:
    board = Board(max_message=136)  # which looks at every message's length
    assert struct.unpack_from("<H", board.hello().body, 2) == (136,)
    board.hello(link=1, nonce=2)
    board.ask(STREAM, b"\x1f")
    for i in range(4):
        board.ask(CLASS_ADD, name(f"class {i:9}"), link=1)
    board.sense(np.concatenate([noise(60), [[np.nan, 0, 0]], noise(20)]).astype(np.float32))
    assert board.told(PREDICTION)
    assert board.told(SAMPLES)
    assert board.told(LOG)
    assert board.told(CHANGED)[-1][12:] == name(f"class {3:9}")
    assert board.ask(INFO).status == OK
    assert board.ask(99).status == UNKNOWN

    length, _ = struct.unpack("<II", board.ask(IMAGE_GET).body)
    too_long = board.ask(IMAGE_READ, struct.pack("<II", 0, 101))
    assert too_long.status == FULL
    assert too_long.body[:6] == b"reply\0"
    assert len(board.ask(IMAGE_READ, struct.pack("<II", length - 100, 100)).body) == 100


def test_classes_come_as_many_as_fit() -> None:
    board = Board(max_message=136, model=small_bundle(max_classes=40).model_image)
    board.hello()
    names = [f"class {i}" for i in range(13)]
    for text in names:
        board.ask(CLASS_ADD, name(text))
    found: list[str] = []
    while len(found) < 13:
        body = board.ask(CLASSES_LIST, struct.pack("<H", len(found))).body
        n_all, n_here = struct.unpack_from("<HH", body)
        assert (n_all, len(body)) == (13, 4 + 16 * n_here)
        assert n_here == min(6, 13 - len(found))
        found += [body[at : at + 16].rstrip(b"\0").decode() for at in range(4, len(body), 16)]
    assert found == names


def test_settings_come_as_many_as_fit() -> None:
    board = Board(max_message=136)
    board.hello()
    found: dict[int, float] = {}
    while len(found) < len(SETTINGS):
        body = board.ask(SETTINGS_LIST, struct.pack("<H", len(found))).body
        n_all, n_here = struct.unpack_from("<HH", body)
        assert (n_all, len(body)) == (len(SETTINGS), 4 + 8 * n_here)
        assert n_here == min(12, len(SETTINGS) - len(found))
        found |= {number: value for number, _, value in struct.iter_unpack("<HHf", body[4:])}
    bundled = {"anomaly.threshold": 5.0, "reconstruction.learning_rate": 0.001}
    assert found == {
        info.id: np.float32(bundled.get(text, info.initial)) for text, info in SETTINGS.items()
    }
    assert board.ask(SETTINGS_LIST, b"\xff\xff").body == struct.pack("<HH", len(SETTINGS), 0)
    assert board.ask(SETTINGS_LIST).status == -15


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_refused_setting_is_named_whole(board: Board, setting: str) -> None:
    refused = board.ask(SETTING_SET, struct.pack("<HHf", SETTINGS[setting].id, 0, np.inf))
    assert refused.body[:32].rstrip(b"\0").decode() == setting


def test_changes_are_told_with_what_was_asked(board: Board) -> None:
    board.hello(link=1, nonce=9)
    rate = struct.pack("<HHf", SETTINGS["classifier.learning_rate"].id, 0, 0.5)
    asked = [
        (CLASS_ADD, name("normal")),
        (CLASS_RENAME, struct.pack("<H", 0) + name("123456789012345")),
        (LABEL, struct.pack("<hHI", 0, 0, 7)),
        (SETTING_SET, rate),
        (FEED_BEGIN, b""),
        (FEED_END, b""),
        (RESET, b""),
    ]
    for streams, own_events in ((b"\0", []), (b"\x04", asked)):
        board.ask(STREAM, streams)
        for opcode, payload in asked:
            assert board.ask(opcode, payload).status == OK
            if opcode == FEED_BEGIN:
                assert board.ask(FEED, feed(noise(3))).status == OK  # never told
        board.ask(CLASS_ADD, b"")  # refused: never told
        own, others = board.told(CHANGED), board.told(CHANGED, link=1)
        assert [(body[0], body[12:]) for body in own] == own_events
        assert [(body[0], body[12:]) for body in others] == asked
        assert {body[1:4] for body in own} <= {b"\1\0\0"}
        assert {body[1:4] for body in others} == {b"\0\0\0"}
    assert struct.unpack_from("<Q", own[-2], 4) == (3,)  # before the reset


@pytest.mark.parametrize("how", ["goodbye", "silence"])
def test_a_feeder_that_goes_is_told(board: Board, how: str) -> None:
    board.hello(link=1, nonce=9, now_ms=9000)
    board.ask(FEED_BEGIN)
    if how == "goodbye":
        board.ask(GOODBYE)
    else:
        lib.tinyol_board_tick(board.handle, 11_000)
    assert [body[0] for body in board.told(CHANGED, link=1)] == [FEED_BEGIN, FEED_END]


def test_gaps_are_counted_at_the_head_of_an_event(board: Board) -> None:
    board.sense(noise(5), gap=True)  # nobody listens
    board.hello(link=1, nonce=9)
    board.ask(STREAM, b"\x02")
    board.sense(noise(3))
    board.ask(FEED_BEGIN)
    board.ask(FEED, feed(noise(2), gap=True))
    board.ask(STREAM, b"\x02", link=1)  # what is pending is flushed to those who listened
    board.ask(FEED_END)
    board.sense(noise(8))
    heads = [struct.unpack_from("<QBB", body) for body in board.told(SAMPLES)]
    assert heads == [(5, 3, 0), (8, 2, 2), (10, 8, 1)]
    assert [struct.unpack_from("<QBB", body) for body in board.told(SAMPLES, 1)] == [(10, 8, 1)]


@pytest.mark.parametrize("how", ["reset", "image"])
def test_what_is_pending_is_told_before_the_state_is_replaced(board: Board, how: str) -> None:
    image = board.state()
    board.sense(noise(6))
    board.ask(STREAM, b"\x06")
    board.sense(noise(5), gap=True)
    board.ask(FEED_BEGIN)  # a gap that the state before had counted
    board.ask(FEED_END)
    if how == "reset":
        board.ask(RESET)
    else:
        board.ask(IMAGE_PUT, struct.pack("<II", len(image), zlib.crc32(image)))
        for at in range(0, len(image), 400):
            board.ask(IMAGE_WRITE, struct.pack("<I", at) + image[at : at + 400])
        board.ask(IMAGE_COMMIT)
    board.sense(noise(8))
    heads = [struct.unpack_from("<QBB", body) for body in board.told(SAMPLES)]
    assert heads == [(6, 5, 1), (0, 8, 0)]


def read_image(board: Board, length: int, link: int = 0) -> bytes:
    return b"".join(
        board.ask(IMAGE_READ, struct.pack("<II", at, min(300, length - at)), link).body
        for at in range(0, length, 300)
    )


def lived(board: Board) -> None:
    """Everything under way that an image does not hold."""
    for text in ("a", "b"):
        board.ask(CLASS_ADD, name(text))
    board.ask(LABEL, struct.pack("<hHI", 0, 0, UNTIL_STOPPED))
    board.ask(FINE_TUNE, struct.pack("<I", UNTIL_STOPPED))
    board.sense(noise(203), gap=True)


def test_a_session_begins_with_an_image_and_a_gap(board: Board) -> None:
    lived(board)
    board.ask(STREAM, b"\x02")
    board.sense(noise(3))
    reply = board.ask(SESSION_BEGIN, b"\x03")
    length, crc = struct.unpack("<II", reply.body)
    (before,) = board.told(SAMPLES)  # what was pending comes before it
    assert struct.unpack_from("<QBB", before) == (203, 3, 0)
    assert reply.next_sample == 206

    later = noise(157, seed=1)
    later[90, 2] = np.nan
    board.sense(later[:70])
    image = read_image(board, length)
    assert zlib.crc32(image) == crc
    board.sense(later[70:], gap=True)
    n_predictions = len(board.told(PREDICTION))
    board.ask(STREAM, b"\0")
    heads = [struct.unpack_from("<QBB", body) for body in board.told(SAMPLES)]
    assert heads[0] == (206, 8, 1)

    # A twin of the image and the stream alone.
    twin = Twin(small_bundle())
    twin.state = image
    gaps = [index - 206 for index, _, n_gaps in heads if n_gaps]
    assert gaps == [0, 70]
    windows = twin.feed(later, gaps=gaps)
    assert len(windows) == n_predictions
    assert not windows.learned.any()
    assert not windows.fine_tuned.any()
    assert board.state() == twin.state
    # The vectors of before are forgotten, those of since are there.
    board.ask(LABEL_BACK, struct.pack("<hH", 1, 500))
    assert twin.label_back("b", 500) == len(windows)
    assert board.state() == twin.state


def test_a_session_of_every_command_is_the_twins(board: Board) -> None:
    """The stream of another link's doings is enough, gaps without samples between them too."""
    lived(board)
    board.hello(link=1, nonce=9)
    board.ask(FEED_BEGIN)  # two gaps that are in the image
    board.ask(FEED_END)
    assert len(board.told(CHANGED, link=1)) == 2
    length, _ = struct.unpack("<II", board.ask(SESSION_BEGIN, b"\x06", link=1).body)
    twin = Twin(small_bundle())
    twin.state = read_image(board, length, link=1)

    rng = np.random.default_rng(3)
    commands = [
        (LABEL, struct.pack("<hHI", 0, 0, 6)),
        (FINE_TUNE, struct.pack("<I", 9)),
        (LABEL_BACK, struct.pack("<hH", 1, 3)),
        (CLASS_ADD, name("c")),
        (FEED_BEGIN, b""),
        (FEED_END, b""),
        (SETTING_SET, struct.pack("<HHf", SETTINGS["classifier.l2"].id, 0, 0.001)),
        (SETTING_SET, struct.pack("<HHf", SETTINGS["drift.policy"].id, 0, 1)),
        (RELEARN, struct.pack("<hH", 0, 4)),
        (CLASS_WEIGHT, struct.pack("<HHf", 1, 0, 2.5)),
        (CALIBRATE, struct.pack("<II", 3, 40)),
        (CALIBRATE, bytes(8)),
        (UNKNOWN_NAME, struct.pack("<I", 1) + name("a")),
        (UNKNOWN_NAME, struct.pack("<I", 2) + name("d")),
    ]
    done: list[int] = []
    for step in range(150):
        loudness = np.float32(rng.choice([0.1, 1.0, 8.0]))
        samples = loudness * noise(int(rng.integers(0, 60)), seed=step)
        board.sense(samples, gap=bool(rng.integers(2)))
        # Those that cannot be now are refused, and not told.
        opcode, payload = commands[rng.integers(len(commands))]
        if board.ask(opcode, payload).status == OK:
            done.append(opcode)
    board.ask(FEED_END)
    board.sense(noise(1))
    board.ask(STREAM, b"\0", link=1)

    began, *events = [event for event in board.events if event.link == 1]
    assert (began.opcode, began.body[:2]) == (CHANGED, bytes([SESSION_BEGIN, 1]))
    follow(twin, *struct.unpack_from("<Q", began.body, 4), events)
    assert {RELEARN, CLASS_WEIGHT, CALIBRATE, UNKNOWN_NAME} < set(done)
    steps = StateImage.from_bytes(twin.state).fields
    assert steps["softmax.steps"] > 10
    assert steps["reconstruction.steps"] > 10
    assert board.state() == twin.state


def follow(twin: Twin, start: int, events: list[Message]) -> None:
    """Lives through the events' samples and changes by their index."""
    samples: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    gaps: dict[int, int] = {}
    changes: dict[int, list[bytes]] = {}
    for event in events:
        if event.opcode == SAMPLES:
            index, n, n_gaps = struct.unpack_from("<QBB", event.body)
            assert index == start + sum(map(len, samples))
            gaps[index] = n_gaps
            samples.append(np.frombuffer(event.body[12:], "<f4").reshape(n, 3))
        elif event.opcode == CHANGED:
            changes.setdefault(struct.unpack_from("<Q", event.body, 4)[0], []).append(event.body)
    for index, sample in enumerate(np.concatenate(samples), start):
        for body in changes.get(index, []):
            change(twin, body[0], body[12:])
        for _ in range(gaps.get(index, 0)):
            twin.gap()
        twin.feed(sample[None])


def change(twin: Twin, opcode: int, payload: bytes) -> None:
    if opcode == LABEL:
        index, _, windows = struct.unpack("<hHI", payload)
        twin.label(twin.classes[index], windows)
    elif opcode == FINE_TUNE:
        twin.fine_tune(*struct.unpack("<I", payload))
    elif opcode == LABEL_BACK:
        index, windows = struct.unpack("<hH", payload)
        twin.label_back(twin.classes[index], windows)
    elif opcode == CLASS_ADD:
        twin.add_class(payload[1:].decode())
    elif opcode == RELEARN:
        index, windows = struct.unpack("<hH", payload)
        twin.relearn(twin.classes[index], windows)
    elif opcode == CLASS_WEIGHT:
        index, _, weight = struct.unpack("<HHf", payload)
        twin.set_class_weight(twin.classes[index], weight)
    elif opcode == CALIBRATE:
        steps, windows = struct.unpack("<II", payload)
        twin.calibrate(windows, steps)
    elif opcode == UNKNOWN_NAME:
        twin.name_unknown(*struct.unpack_from("<I", payload), payload[5:].decode())
    elif opcode == SETTING_SET:
        number, _, value = struct.unpack("<HHf", payload)
        (setting,) = (text for text, info in SETTINGS.items() if info.id == number)
        twin.set(setting, value)


def test_a_session_waits_for_the_other_link(board: Board) -> None:
    board.hello(link=1, nonce=9)
    board.ask(FEED_BEGIN)
    assert board.ask(SESSION_BEGIN, b"\x06", link=1).status == BUSY
    board.ask(FEED_END)
    length, _ = struct.unpack("<II", board.ask(IMAGE_GET).body)
    lived(board)
    before = board.state()
    assert board.ask(SESSION_BEGIN, b"\x06", link=1).status == BUSY
    assert board.ask(SESSION_BEGIN, b"\x20").status == -15
    assert board.ask(SESSION_BEGIN).status == -15
    assert board.state() == before
    assert struct.unpack_from("<hH", board.ask(INFO).body, 52) == (0, 2)  # the label still holds
    read_image(board, length)
    assert board.ask(SESSION_BEGIN, b"\x06", link=1).status == OK
    assert struct.unpack_from("<hH", board.ask(INFO).body, 52) == (-1, 2)
    assert [body[0] for body in board.told(CHANGED)] == [SESSION_BEGIN]
    board.sense(noise(8))
    assert board.told(SAMPLES, link=1)
    assert board.ask(IMAGE_GET).status == BUSY  # its image is not read yet
    lib.tinyol_board_drop(board.handle, 1)
    board.sense(noise(8))
    assert board.told(SAMPLES, link=1) == []
    assert board.ask(IMAGE_GET).status == OK


def log_of(board: Board, link: int = 0) -> list[tuple[int, int, str]]:
    return [
        (body[0], struct.unpack_from("<Q", body, 4)[0], body[12:].decode())
        for body in board.told(LOG, link)
    ]


def test_a_refused_sample_is_logged_once_in_a_while(board: Board) -> None:
    bad = np.array([[0, 0, np.nan]], np.float32)
    board.sense(bad)  # nobody listens
    board.ask(STREAM, b"\x08")
    board.hello(link=1, nonce=9)
    text = "sample refused: not finite or beyond 10000 g"
    for n_good, expected in ((0, [(2, 2, text)]), (997, []), (0, []), (0, [(2, 1002, text)])):
        board.sense(noise(n_good))
        board.sense(bad)
        # Noise without gravity has no direction that could stay as it was.
        assert [line for line in log_of(board) if not line[2].startswith("moved")] == expected
    assert log_of(board, link=1) == []
    board.ask(RESET)
    board.sense(bad)
    assert log_of(board) == [(2, 1, text)]


def test_a_skipped_step_is_logged(board: Board) -> None:
    board.ask(CLASS_ADD, name("a"))
    board.ask(CLASS_ADD, name("b"))
    board.ask(STREAM, b"\x08")
    limit = SETTINGS["classifier.weight_limit"].id
    board.ask(SETTING_SET, struct.pack("<HHf", limit, 0, 1e-3))
    board.sense(noise(60))
    assert log_of(board) == []
    board.ask(LABEL_BACK, struct.pack("<hH", 0, 3))
    assert log_of(board) == [(2, 60, "step skipped: weight limit")]
    board.ask(RESET)
    limit = SETTINGS["reconstruction.weight_limit"].id
    board.ask(SETTING_SET, struct.pack("<HHf", limit, 0, 1e-3))
    board.ask(FINE_TUNE, struct.pack("<I", 1))
    board.sense(noise(60))
    assert [text for _, _, text in log_of(board)] == ["step skipped: weight limit"]


def test_a_lost_peer_is_logged_to_the_other(board: Board) -> None:
    board.hello(link=1, nonce=9, now_ms=9000)
    board.ask(STREAM, b"\x08", link=1, now_ms=9000)
    lib.tinyol_board_tick(board.handle, 11_000)
    assert log_of(board, link=1) == [(1, 0, "peer lost: silent for 10 s")]


def test_nothing_of_an_image_is_refused_cleanly(board: Board) -> None:
    before = board.state()
    for length in (0, 23):
        assert board.ask(IMAGE_PUT, struct.pack("<II", length, 0)).status == -8
        assert board.ask(IMAGE_COMMIT).status == -3
        assert board.ask(IMAGE_WRITE, struct.pack("<I", 0) + b"x").status == -3
    assert board.ask(IMAGE_PUT, struct.pack("<II", 24, 0)).status == OK
    assert board.ask(IMAGE_WRITE, struct.pack("<I", 0)).status == -6
    assert board.ask(IMAGE_WRITE, b"").status == -15
    assert board.ask(IMAGE_WRITE, struct.pack("<I", 0) + bytes(25)).status == -6
    assert board.ask(IMAGE_WRITE, struct.pack("<I", 0) + bytes(24)).status == OK
    assert board.ask(IMAGE_WRITE, struct.pack("<I", 24)).status == -6
    assert board.ask(IMAGE_READ, struct.pack("<II", 0, 1)).status == -3  # a put, not a get
    board.hello(link=1, nonce=9)
    assert board.ask(IMAGE_GET, link=1).status == BUSY
    assert board.ask(IMAGE_COMMIT).status == -11
    assert board.ask(IMAGE_GET, link=1).status == OK  # a commit ends it, whatever comes of it
    assert board.ask(IMAGE_READ, struct.pack("<II", 0, 0), link=1).status == -6
    assert board.ask(IMAGE_READ, struct.pack("<II", 2**32 - 1, 2), link=1).status == -6
    assert board.state() == before


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_nonsense_is_counted_and_ignored(messages: list[bytes]) -> None:
    board = Board()
    board.hello()
    before = board.state()
    for message in messages:
        board.write(message)
    assert board.state() == before
    assert board.ask(PING).status == OK


@given(
    st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=80)), max_size=30),
    st.integers(0, 1),
)
def test_any_payload_is_executed_or_refused(requests: list[tuple[int, bytes]], link: int) -> None:
    board = Board()
    board.hello(link)
    for opcode, payload in requests:
        if opcode == 4 or (opcode == HELLO and len(payload) == 16):
            continue  # both end the session
        if opcode == HELLO:
            assert board.write(request(HELLO, payload), link) == []
            continue
        reply = board.ask(opcode, payload, link)
        assert -21 <= reply.status <= 0
    assert board.ask(PING, link=link).status == OK


@given(st.binary(max_size=512))
def test_frames_are_those_of_the_specification(message: bytes) -> None:
    frame = ffi.new("uint8_t[524]")
    length = lib.tinyol_encode_frame(message, len(message), frame)
    assert bytes(ffi.buffer(frame, length)) == encode_frame(message)
