"""The last alarms: what a board that nobody listens to has to tell afterwards."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from board_in_process import OK, Board, feed, name
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_replay import HOP, WINDOW_LEN, small_bundle
from wire_by_hand import (
    CLASS_ADD,
    FEED,
    FEED_BEGIN,
    FEED_END,
    FINE_TUNE,
    IMAGE_GET,
    IMAGE_READ,
    RESET,
    SETTING_SET,
)

from tinyol_host.watch_replies import Alarm, Alarms
from tinyol_sim.bundle import Bundle
from tinyol_sim.twin import Twin

GOODBYE, ALARMS, SESSION_BEGIN = 4, 21, 33
IMAGE_PUT, IMAGE_WRITE, IMAGE_COMMIT = 38, 39, 40
KEPT = 8
QUIET_G, LOUD_G = 0.02, 50.0
THRESHOLD = 150.0
RAISE, CLEAR = 53, 54  # anomaly.raise_windows and clear_windows
Samples = NDArray[np.float32]


@cache
def bundle() -> Bundle:
    """Every window that is quiet as a whole is below its threshold, every loud one above; one
    anomaly raises an alarm, one other window ends it.
    """
    plain = small_bundle()
    chosen = {
        "anomaly.detector": 0.0,
        "anomaly.threshold": THRESHOLD,
        "anomaly.raise_windows": 1.0,
        "anomaly.clear_windows": 1.0,
        "reconstruction.learning_rate": 0.001,
    }
    return Bundle.create(plain.tflite, plain.pipeline, settings=chosen)


def new_board(max_message: int = 512) -> Board:
    return Board(max_message=max_message, model=bundle().model_image)


def ask(board: Board) -> Alarms:
    """By a session of its own."""
    board.hello(nonce=len(board.events) + 1)
    return again(board)


def again(board: Board) -> Alarms:
    reply = board.ask(ALARMS)
    assert reply.status == OK
    return Alarms.from_bytes(reply.next_sample, reply.body)


def stretch(windows: int, loud: bool, seed: int = 0) -> Samples:
    """So many hops of one loudness."""
    samples = np.random.default_rng(seed).standard_normal((windows * HOP, 3))
    return ((LOUD_G if loud else QUIET_G) * samples).astype(np.float32)


def runs(n: int, seed: int = 0) -> Samples:
    """Quiet and loud in turn: n alarms, the last of them over."""
    parts = [stretch(8, loud=i % 2 == 1, seed=seed + i) for i in range(2 * n + 1)]
    return np.concatenate(parts)


def expected(pieces: Sequence[Samples], raised_by: int = 1, cleared_by: int = 1) -> list[Alarm]:
    """The runs in what a twin makes of the pieces, with a gap before each; the latest first."""
    twin, found = Twin(bundle()), list[Alarm]()
    stands, anomalies, others = False, 0, 0
    for piece in pieces:
        twin.gap()
        windows = twin.feed(piece)
        scores = windows.tuned_error / np.float32(THRESHOLD)
        for index, score in zip(windows.sample_index.tolist(), scores.tolist(), strict=True):
            anomalies, others = (anomalies + 1, 0) if score > 1 else (0, others + 1)
            raised = not stands and anomalies >= raised_by
            stands = raised or (stands and others < cleared_by)
            if raised:
                found.append(Alarm(index, index, 1, score))
            elif stands:
                last = found.pop()
                most = max(last.peak_score, score)
                found.append(Alarm(last.first_sample, index, last.windows + 1, most))
    return found[::-1]


def test_nothing_has_happened_yet() -> None:
    board = new_board()
    assert ask(board) == Alarms(0, 0, ())
    board.sense(stretch(20, loud=False))
    assert again(board) == Alarms(100, 0, ())


def test_a_run_of_windows_is_one_alarm() -> None:
    board, x = new_board(), runs(1)
    board.sense(x)
    alarms = ask(board)
    (alarm,) = alarms.latest
    assert (alarms.at, alarms.count) == (len(x), 1)
    # Loud from sample 40 to 79: from the first window that has one to the last.
    assert alarm.first_sample >= 40
    assert alarm.first_sample - 40 < HOP
    assert 79 <= alarm.last_sample < 80 + WINDOW_LEN
    assert alarm.windows == (alarm.last_sample - alarm.first_sample) // HOP + 1
    assert [alarm] == expected([x])


def test_an_alarm_that_goes_on_is_told_as_it_is_now() -> None:
    board, x = new_board(), stretch(30, loud=True)
    board.sense(x[:50])
    first = ask(board)
    board.sense(x[50:])
    second = again(board)
    assert (first.count, second.count) == (1, 1)
    assert first.latest[0].first_sample == second.latest[0].first_sample == WINDOW_LEN - 1
    assert second.latest[0].windows > first.latest[0].windows
    assert second.latest[0].peak_score == expected([x])[0].peak_score
    assert second.latest[0].peak_score >= first.latest[0].peak_score


@pytest.mark.parametrize("n", [1, 7, 8, 9, 20])
def test_the_last_eight_are_kept_and_all_are_counted(n: int) -> None:
    board, x = new_board(), runs(n)
    board.sense(x)  # nobody is connected
    alarms, due = ask(board), expected([x])
    assert (alarms.count, len(due)) == (n, n)
    assert list(alarms.latest) == due[:KEPT]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 1000),
)
def test_any_life_with_gaps(life: list[tuple[int, bool]], seed: int) -> None:
    rng, board = np.random.default_rng(seed), new_board()
    pieces = []
    for n, is_loud in life:
        x = rng.normal(0, LOUD_G if is_loud else 0.3, (n, 3)).astype(np.float32)
        pieces.append(x)
        board.sense(x, gap=True)
    alarms, due = ask(board), expected(pieces)
    assert alarms.count == len(due)
    assert list(alarms.latest) == due[:KEPT]


@pytest.mark.parametrize(("raised_by", "cleared_by"), [(3, 1), (1, 4), (3, 5)])
def test_so_many_in_a_row_raise_and_end_it(raised_by: int, cleared_by: int) -> None:
    board = new_board()
    board.hello()
    for number, value in ((RAISE, raised_by), (CLEAR, cleared_by)):
        assert board.ask(SETTING_SET, struct.pack("<HHf", number, 0, value)).status == OK
    # Loud for 1 to 7 hops, quiet for 1 to 7 between them.
    lengths = [(1, 2), (2, 6), (4, 3), (7, 7), (3, 1), (3, 2), (6, 7)]
    parts = [
        stretch(n, loud, seed=2 * i + loud)
        for i, both in enumerate(lengths)
        for n, loud in zip(both, (True, False), strict=True)
    ]
    x = np.concatenate(parts)
    board.sense(x)
    due = expected([x], raised_by, cleared_by)
    assert 1 < len(due) < len(lengths)
    assert list(again(board).latest) == due


def test_a_gap_does_not_end_an_alarm() -> None:
    x = stretch(20, loud=True)
    board = new_board()
    board.sense(x[:50])
    board.sense(x[50:], gap=True)
    alarms = ask(board)
    assert alarms.count == 1
    assert list(alarms.latest) == expected([x[:50], x[50:]])


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e4])
def test_nor_does_a_refused_sample(value: float) -> None:
    board, x = new_board(), stretch(20, loud=True)
    x[50] = value
    board.sense(x)
    assert ask(board).count == 1


def test_nor_does_feeding_with_a_gap_at_either_end() -> None:
    board, x = new_board(), stretch(24, loud=True)
    board.sense(x[:40])
    board.hello()
    board.ask(FEED_BEGIN)
    for at in (40, 60):
        assert board.ask(FEED, feed(list(x[at : at + 20]))).status == OK
    board.ask(FEED_END)
    board.sense(x[80:])
    alarms = again(board)
    assert alarms.count == 1
    assert list(alarms.latest) == expected([x[:40], x[40:80], x[80:]])


def test_nor_does_the_beginning_of_a_session_on_record() -> None:
    board, x = new_board(), stretch(20, loud=True)
    board.sense(x[:50])
    board.hello()
    assert board.ask(SESSION_BEGIN, b"\3").status == OK
    board.sense(x[50:])
    assert list(again(board).latest) == expected([x[:50], x[50:]])


def test_an_alarm_that_stood_when_the_state_was_saved_goes_on_in_another_board() -> None:
    board, x = new_board(), stretch(20, loud=True)
    board.sense(x[:50])
    other = new_board()
    other.hello()
    assert put(other, board.state()) == OK
    other.sense(x[50:])
    (alarm,) = again(other).latest
    assert alarm.first_sample == 50 + WINDOW_LEN - 1
    assert alarm.windows == (len(x) - 50 - WINDOW_LEN) // HOP + 1


def test_the_score_is_that_of_the_layer_that_is_fine_tuned() -> None:
    board, twin, x = new_board(), Twin(bundle()), stretch(100, loud=True)
    board.hello()
    board.ask(FINE_TUNE, struct.pack("<I", 50))
    twin.fine_tune(50)
    board.sense(x)
    windows = twin.feed(x)
    assert windows.anomaly.all()
    peak = windows.tuned_error.max()
    assert peak != windows.error.max()
    assert again(board).latest[0].peak_score == peak / np.float32(THRESHOLD)


# --- who ends what ---------------------------------------------------------------------------


def put(board: Board, image: bytes, crc: int | None = None) -> int:
    """The status of IMAGE_COMMIT."""
    crc = zlib.crc32(image) if crc is None else crc
    assert board.ask(IMAGE_PUT, struct.pack("<II", len(image), crc)).status == OK
    for at in range(0, len(image), 400):
        chunk = struct.pack("<I", at) + image[at : at + 400]
        assert board.ask(IMAGE_WRITE, chunk).status == OK
    return board.ask(IMAGE_COMMIT).status


def test_reset_forgets_them() -> None:
    board, x = new_board(), runs(3)
    board.sense(np.concatenate([x, stretch(8, loud=True)]))
    assert ask(board).count == 4
    assert board.ask(RESET).status == OK
    assert again(board) == Alarms(0, 0, ())
    board.sense(stretch(8, loud=True))
    assert list(again(board).latest) == expected([stretch(8, loud=True)])


def test_another_state_forgets_them_and_a_refused_one_does_not() -> None:
    board, x = new_board(), stretch(12, loud=True)
    image = board.state()
    board.sense(x[:40])
    before = ask(board)
    assert before.count == 1
    assert put(board, image, crc=zlib.crc32(image) ^ 1) < 0
    assert put(board, image[:-1] + b"\xff") < 0
    assert again(board) == before
    board.sense(x[40:])
    assert again(board).count == 1  # nor did that make a gap
    assert put(board, image) == OK
    assert again(board) == Alarms(0, 0, ())
    board.sense(x)
    assert list(again(board).latest) == expected([x])


def test_nothing_else_does() -> None:
    board = new_board()
    board.sense(runs(2))
    before = ask(board)
    assert before.count == 2
    board.ask(CLASS_ADD, name("a"))
    size, _ = struct.unpack("<II", board.ask(IMAGE_GET).body)
    board.ask(IMAGE_READ, struct.pack("<II", size - 1, 1))
    assert again(board) == before
    board.ask(GOODBYE)
    board.hello(nonce=12345)
    assert again(board) == before


def test_both_links_are_told_the_same() -> None:
    board = new_board()
    board.sense(runs(9))
    board.hello(0, nonce=1)
    board.hello(1, nonce=2)
    assert board.ask(ALARMS, link=0).body == board.ask(ALARMS, link=1).body


# --- the reply -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_message", "here"), [(136, 3), (139, 3), (140, 4), (180, 5), (235, 7), (236, 8), (512, 8)]
)
def test_a_link_that_carries_less_is_told_as_many_as_fit(max_message: int, here: int) -> None:
    board, x = new_board(max_message), runs(10)
    board.sense(x)
    alarms = ask(board)
    assert alarms.count == 10
    assert list(alarms.latest) == expected([x])[:here]


def test_the_bytes() -> None:
    board, x = new_board(), runs(2)
    board.sense(x)
    board.hello()
    (latest, first), bytes_ = expected([x]), board.ask(ALARMS).body
    assert bytes_ == struct.pack("<IHH", 2, 2, 0) + b"".join(
        struct.pack("<QQIf", a.first_sample, a.last_sample, a.windows, a.peak_score)
        for a in (latest, first)
    )


def test_a_payload_is_refused() -> None:
    board = new_board()
    board.hello()
    assert board.ask(ALARMS, b"\0").status < 0
