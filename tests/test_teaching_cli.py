"""`tinyol relearn`, `unknown`, `classes weight`, `set --preset`, over sim: with a small bundle."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model
from small_replay import HOP, RATE_HZ

import tinyol_host.board
from tinyol_host import silence
from tinyol_sim.presets import PRESETS
from tinyol_sim.synth import synthesize

DEVICE = "sim:?model=small.tinyol&speed=50"  # 500 windows a second
STUCK, TILTED = (f"{DEVICE}&source=synth:{mode}" for mode in ("stuck", "tilted"))


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, DEVICE)
    return Tinyol(capsys)


@pytest.fixture
def lives_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Boards then are like one at a port: they have just seen 20 s of a fan in this mode."""
    connect = tinyol_host.board.connect
    mode = "normal"

    async def connect_later(uri: str | None = None, **how: Any) -> tinyol_host.board.Board:
        board = await connect(uri, **{**how, "source": False})
        async with board.feeding() as feeding:
            await feeding.feed(synthesize(mode, 20.0, rate_hz=RATE_HZ).samples)
        board.ends_with_link = False
        return board

    def on_a_fan(now: str) -> None:
        nonlocal mode
        mode = now
        monkeypatch.setattr(tinyol_host.board, "connect", connect_later)

    return on_a_fan


def rows(tinyol: Tinyol) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(tinyol.done("classes", "--json"))}


def teach(tinyol: Tinyol, name: str, device: str, windows: int = 40) -> None:
    tinyol.done("label", name, "--add", "--windows", str(windows), "-d", device)


# --- relearn --------------------------------------------------------------------------------


def test_on_a_board_in_this_process_it_waits_for_new_windows(tinyol: Tinyol) -> None:
    teach(tinyol, "still", STUCK)
    teach(tinyol, "other", TILTED)
    before = rows(tinyol)
    out = tinyol.done("relearn", "still", "--seconds", "3", "-d", TILTED)  # at 10 windows a second
    assert re.fullmatch(
        r"still: begun anew from the last 30 windows \(3\.0 s\), before sample [\d,]+; the other"
        r" classes stay as they are\n",
        out,
    )
    after = rows(tinyol)
    assert after["still"]["lessons"] == 30
    assert after["still"]["limit"] != before["still"]["limit"]
    assert {**after["other"], "f1": 0} == {**before["other"], "f1": 0}


def test_a_board_that_lives_on_takes_what_it_has_just_seen(
    tinyol: Tinyol, lives_on: Callable[[str], None]
) -> None:
    teach(tinyol, "still", STUCK)
    lives_on("tilted")
    facts = json.loads(tinyol.done("relearn", "still", "--json"))
    assert (facts["class"], facts["windows"], facts["lessons"]) == ("still", 25, 25)
    assert rows(tinyol)["still"]["lessons"] == 25
    ring = json.loads(tinyol.done("info", "--json"))["model"]["windows_for_late_labels"]
    out = tinyol.done("relearn", "still", "--seconds", "1000")
    assert f"the last {ring} windows" in out
    assert f"the board remembers {ring} windows, not {int(1000 * RATE_HZ / HOP):,}" in out


def test_a_class_relearned_from_few_windows_is_young_and_that_is_said(tinyol: Tinyol) -> None:
    teach(tinyol, "still", STUCK)
    out = tinyol.done("relearn", "still", "--windows", "2", "-d", STUCK)
    assert (
        "note: with 2 lessons it is young, and while a class is, nothing counts as unknown" in out
    )
    assert "young" not in tinyol.done("relearn", "still", "--windows", "10", "-d", STUCK)


def test_a_board_that_has_seen_nothing_changes_nothing(tinyol: Tinyol) -> None:
    teach(tinyol, "still", STUCK)
    before = rows(tinyol)
    said = tinyol.refused("relearn", "still", "--no-wait")
    assert "still is as it was: the board remembers no window" in said
    assert rows(tinyol) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing argument 'NAME'"),
        (("a", "--windows", "5", "--seconds", "5"), "exclude"),
        (("a", "--windows", "0"), "0 is not in the range"),
        (("a", "--windows", "70000"), "70000 is not in the range"),
        (("a", "--seconds", "0"), "0"),
        (("a", "--seconds", "nan"), "not a number"),
    ],
)
def test_relearn_in_wrong_usage(tinyol: Tinyol, words: tuple[str, ...], says: str) -> None:
    status, out, err = tinyol("relearn", *words)
    assert (status, out) == (2, "")
    assert says in err
    assert not Path("home").exists()


def test_relearn_of_a_class_that_is_not_there(tinyol: Tinyol) -> None:
    assert "no class 'a'; known: none yet. `tinyol label" in tinyol.refused("relearn", "a")
    teach(tinyol, "still", STUCK, 10)
    assert "no class 'a'; known: still" in tinyol.refused("relearn", "a")


def test_relearn_where_nobody_feeds(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(tinyol, "still", STUCK)
    monkeypatch.setattr(silence, "SILENCE_S", 0.1)
    said = tinyol.refused("relearn", "still", "-d", f"{DEVICE}&source=none")
    assert "nobody feeds it" in said
    assert rows(tinyol)["still"]["lessons"] == 40


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_end_the_class_is_as_it_was(
    tinyol: Tinyol, number: signal.Signals, status: int
) -> None:
    teach(tinyol, "still", STUCK)
    slow = "sim:?model=small.tinyol&speed=0.1"
    shout = "import tinyol_host.new_windows as n; n._POLL_S = 0.01; print('on', flush=True);"
    with subprocess.Popen(
        [*PROGRAM[:2], shout + PROGRAM[2], "relearn", "still", "-d", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):  # it waits: 25 windows take 25 s here
            process.wait(2.0)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (status, "")
    assert err.splitlines()[0] == "stopped; still is as it was"
    assert rows(tinyol)["still"]["lessons"] == 40


# --- unknown --------------------------------------------------------------------------------


def see(tinyol: Tinyol, device: str) -> None:
    """Something that no class explains."""
    status, _, _ = tinyol("monitor", "--seconds", "1", "--json", "-d", device)
    assert status == 0


def test_nothing_unknown_says_why(tinyol: Tinyol) -> None:
    out = tinyol.done("unknown")
    assert out.startswith("nothing unknown so far\n")
    assert "no class has had a lesson yet" in out
    assert "senses nothing but while a command feeds it, as `tinyol monitor` does" in out
    teach(tinyol, "still", STUCK, 4)
    assert "while a class is as young as still (4 lessons)" in tinyol.done("unknown")
    assert json.loads(tinyol.done("unknown", "--json"))["events"] == 0
    assert "nothing to name" in tinyol.refused("unknown", "name", "last", "a")


def test_something_new_gets_a_name_afterwards(tinyol: Tinyol) -> None:
    teach(tinyol, "still", STUCK)
    see(tinyol, TILTED)
    facts = json.loads(tinyol.done("unknown", "--json"))
    (event, *_) = facts["latest"]
    assert facts["goes_on"] is event["open"] is True
    assert event["windows"] > 5
    assert event["peak_novelty"] > 1
    lines = tinyol.done("unknown").splitlines()
    assert re.fullmatch(
        r"something new since \d+ s ago \(\d+ windows, goes on\): `tinyol unknown name last NAME`"
        r" makes it a class",
        lines[0],
    )
    assert lines[1].split() == [
        "event",
        "since",
        "until",
        "windows",
        "novelty",
        "lessons",
        "kept",
        "named",
    ]
    assert lines[2].split()[0] == str(event["number"])
    assert "goes on" in lines[2]
    assert lines[-1] == "note: seconds are those of its samples: it stands still between commands"

    out = tinyol.done("unknown", "name", "last", "tilted")
    lessons = event["kept"]
    assert out == (
        f"tilted: class 1, a new class, {lessons} lessons from event {event['number']}\n"
    )
    assert rows(tinyol)["tilted"]["lessons"] == lessons
    said = tinyol.refused("unknown", "name", str(event["number"]), "again")
    assert f"unknown event {event['number']} was named before" in said
    assert "it has been named" in tinyol.done("unknown")


def test_a_class_that_is_there_learns_it_too(tinyol: Tinyol) -> None:
    teach(tinyol, "still", STUCK)
    see(tinyol, TILTED)
    facts = json.loads(tinyol.done("unknown", "name", "last", "still", "--json"))
    assert (facts["class"], facts["index"], facts["new"]) == ("still", 0, False)
    assert rows(tinyol)["still"]["lessons"] == 40 + facts["lessons"]


def test_a_board_that_lives_on_tells_the_time_of_day(
    tinyol: Tinyol, lives_on: Callable[[str], None]
) -> None:
    teach(tinyol, "still", STUCK)
    lives_on("tilted")
    out = tinyol.done("unknown")
    assert re.match(r"something new since \d\d:\d\d \(\d+ windows, goes on\)", out)
    assert "note: times are by its samples" in out
    assert "a new class" in tinyol.done("unknown", "name", "last", "tilted")


def test_an_event_that_is_not_kept(tinyol: Tinyol) -> None:
    assert "keeps no unknown event 7" in tinyol.refused("unknown", "name", "7", "a")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("name",), "Missing argument"),
        (("name", "first", "a"), "neither an event's number nor 'last'"),
        (("name", "0", "a"), "neither"),
        (("name", "²", "a"), "neither"),
        (("name", "9" * 5000, "a"), "neither"),
        (("--json", "name", "1", "a"), "behind the subcommand"),
        (("rename",), "No such command"),
    ],
)
def test_unknown_in_wrong_usage(tinyol: Tinyol, words: tuple[str, ...], says: str) -> None:
    status, out, err = tinyol("unknown", *words)
    assert (status, out) == (2, "")
    assert says in err


@pytest.mark.parametrize("name", ["", "-", "sixteen bytes ab", "\x1b[2J"])
def test_a_name_that_is_none(tinyol: Tinyol, name: str) -> None:
    teach(tinyol, "still", STUCK)
    see(tinyol, TILTED)
    status, out, err = tinyol("unknown", "name", "last", "--", name)
    assert (status, out) == (1, "")
    assert "name" in err
    assert list(rows(tinyol)) == ["still"]


# --- classes weight, set --preset -----------------------------------------------------------


def test_weights(tinyol: Tinyol) -> None:
    tinyol.done("classes", "add", "a", "b")
    assert tinyol.done("classes", "weight", "a", "0.25") == "a: weight 0.25 from sample 0 on\n"
    assert [row["weight"] for row in rows(tinyol).values()] == [0.25, 1.0]
    table = tinyol.done("classes").splitlines()
    assert table[0].split() == ["class", "index", "lessons", "weight", "limit", "F1"]
    assert table[1].split() == ["a", "0", "0", "0.25", "-", "-"]
    assert "no class 'c'" in tinyol.refused("classes", "weight", "c", "2")
    for wrong in ("0", "1e7", "-1", "nan", "much"):
        status, out, _ = tinyol("classes", "weight", "a", "--", wrong)
        assert (status, out) == (2, ""), wrong
    assert rows(tinyol)["a"]["weight"] == 0.25


def test_the_paper_s_settings_at_once(tinyol: Tinyol) -> None:
    out = tinyol.done("set", "--preset", "paper").splitlines()
    assert out[-1].endswith("`tinyol train --preset paper`")
    settings = json.loads(tinyol.done("set", "--json"))
    for name, value in PRESETS["paper"].settings.items():
        assert settings[name]["value"] == value
    facts = json.loads(tinyol.done("set", "--preset", "paper", "--json"))
    assert facts["settings"] == dict(PRESETS["paper"].settings)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--preset", "essay"), "no preset 'essay'; there are: paper"),
        (("anomaly.threshold", "--preset", "paper"), "give no NAME"),
    ],
)
def test_presets_in_wrong_usage(tinyol: Tinyol, words: tuple[str, ...], says: str) -> None:
    status, out, err = tinyol("set", *words)
    assert (status, out) == (2, "")
    assert says in err


def test_all_settings_come_at_any_width(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = tinyol.done("set")
    for name, facts in json.loads(tinyol.done("set", "--json")).items():
        assert re.search(rf"^{re.escape(name)}\n  value  {facts['value']:g}", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 40
