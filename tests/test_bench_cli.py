"""`tinyol bench` on this machine: lines, tables, JSON, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cli_runner import Tinyol

from tinyol_sim.benchmark import side_by_side
from tinyol_sim.benchmark.contest import PeerMissingError, Place
from tinyol_sim.benchmark.jobs import ROWS, TUNING, WINDOW_JOBS, window_job
from tinyol_sim.benchmark.side_by_side import WINDOW_PEERS
from tinyol_sim.benchmark.twin_entrant import HEAD_ALONE, TWIN, WHOLE
from tinyol_sim.bundle import default_bundle
from tinyol_sim.errors import DeviceError, EmulatorError


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


def missing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def load() -> None:
        raise PeerMissingError("not installed: pip install something")

    for group in ("WINDOW_PEERS", "ROW_PEERS"):
        peers = getattr(side_by_side, group)
        kept = tuple(
            replace(peer, load=load) if peer.name in names or not names else peer for peer in peers
        )
        monkeypatch.setattr(side_by_side, group, kept)


def test_without_any_peer_the_twin_runs_alone(
    monkeypatch: pytest.MonkeyPatch, tinyol: Tinyol
) -> None:
    missing(monkeypatch)
    printed = tinyol.done("bench", "--only", "host", "--seconds", "1", "--repeats", "1")
    assert "river: not installed: pip install something" in printed
    assert "tflite-micro + numpy: not installed: pip install something" in printed
    line = next(line for line in printed.splitlines() if line.startswith("river "))
    assert line.split()[1:] == ["-"] * 5


def test_json_has_every_place(monkeypatch: pytest.MonkeyPatch, tinyol: Tinyol) -> None:
    missing(monkeypatch, "scikit-learn")  # the slowest
    words = ("bench", "--only", "host", "--seconds", "2", "--repeats", "2", "--json")
    found = json.loads(tinyol.done(*words))
    assert set(found) == {"host"}
    host = found["host"]
    assert (host["seconds"], host["twin_seconds"], host["repeats"]) == (2, 120, 2)
    assert (host["rate_hz"], host["numpy"]) == (119, np.__version__)
    assert host["processor"]
    wanted = [(what, p.name) for what in WINDOW_JOBS for p in (TWIN, *WINDOW_PEERS)]
    wanted.remove((TUNING, WINDOW_PEERS[-1].name))
    assert [(p["job"], p["name"]) for p in host["windows"]] == wanted
    names = [HEAD_ALONE.name, "river", "scikit-learn", WHOLE.name]
    assert [p["name"] for p in host["rows"]] == names
    hours = [(p["job"], p["name"]) for p in host["twin"]]
    jobs = ("bundle, hop 1", "bundle, hop 20", "paper, hop 1")
    assert hours == [(job, what) for job in jobs for what in WINDOW_JOBS]
    for place in (*host["windows"], *host["rows"], *host["twin"]):
        assert set(place) == set(Place.__dataclass_fields__)
        if place["missing"]:
            assert place["seconds"] == place["runs"] == 0
            continue
        assert (place["runs"], place["n"] > 0, place["spread"] >= 0) == (2, True, True)
        assert place["per_second"] == pytest.approx(place["n"] / place["seconds"])
        assert place["microseconds"] == pytest.approx(1e6 * place["seconds"] / place["n"])
        assert place["agreement"] is None or place["agreement"] > 0.7
    assert host["windows"][0]["n"] == 2 * 119 - 39
    assert host["twin"][0]["n"] == 60 * 2 * 119 - 39
    assert {p["missing"] != "" for p in host["rows"] if p["name"] == "scikit-learn"} == {True}


def test_the_tables_fit_eighty_columns(monkeypatch: pytest.MonkeyPatch, tinyol: Tinyol) -> None:
    missing(monkeypatch, "scikit-learn")
    monkeypatch.setenv("COLUMNS", "80")
    printed = tinyol.done("bench", "--only", "host", "--seconds", "1", "--repeats", "1")
    lines = printed.splitlines()
    for title in (*WINDOW_JOBS, ROWS):
        row = next(line for line in lines if line.startswith(title) and "slower" in line)
        assert row.split()[-5:] == ["us", "per", "s", "spread", "slower", "same"][-5:]
    assert max(len(line) for line in lines if " x  " in line) <= 80
    assert "paper, hop 1" in printed
    assert "Cortex" not in printed


def test_a_board_that_cannot_be_had_does_not_take_the_hosts_half_along(
    monkeypatch: pytest.MonkeyPatch, tinyol: Tinyol
) -> None:
    missing(monkeypatch)

    def refuse(*_: Any) -> Any:
        raise EmulatorError("no compiler for it")

    monkeypatch.setattr("tinyol_host.cli.bench.board_results", refuse)
    words = ("bench", "--seconds", "1", "--repeats", "1")
    printed = tinyol.done(*words)
    assert "inference + learning" in printed
    assert printed.endswith("The emulated Cortex-M4F: no compiler for it\n")
    found = json.loads(tinyol.done(*words, "--json"))
    assert found["board"] == {"missing": "no compiler for it"}
    assert "no compiler for it" in tinyol.refused("bench", "--only", "board")


def test_so_few_seconds_hold_no_window(tinyol: Tinyol) -> None:
    error = tinyol.refused("bench", "--only", "host", "--seconds", "0.3")
    assert "0.3 s at 119 Hz hold no window: it takes 0.336 s" in error
    with pytest.raises(DeviceError, match="hold no window"):
        window_job(default_bundle(), 0.3)
    assert window_job(default_bundle(), 0.337).n_windows == 1


def test_a_model_that_is_none_is_refused(tinyol: Tinyol, tmp_path: Any) -> None:
    error = tinyol.refused("bench", str(tmp_path / "none.tinyol"), "--only", "host")
    assert "none.tinyol: cannot be read" in error


def test_of_a_net_alone_there_is_the_boards_half(
    monkeypatch: pytest.MonkeyPatch, tinyol: Tinyol, tmp_path: Any
) -> None:
    monkeypatch.setattr("tinyol_host.cli.bench.board_results", lambda path, _: {"net": str(path)})
    net = tmp_path / "net.tflite"
    assert json.loads(tinyol.done("bench", str(net), "--json")) == {"board": {"net": str(net)}}
