"""Fetching the ceiling-fan set and the `data` commands, against a server on this machine."""

from __future__ import annotations

import functools
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyol_host.cli.data import data
from tinyol_sim import datasets
from tinyol_sim.datasets import fetch_ceiling_fan
from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import read_recordings

ROWS = "0.1, 0, 1\n0.2, 0, 1\n"
ROOT = "tinyml-example-anomaly-detection-453006106a3c4708d8319a075997b1022aae4ec9"
GOOD = {
    f"{ROOT}/README.md": "not unpacked",
    f"{ROOT}/datasets/ceiling-fan/fan_0_low_0_weight/0000.csv": ROWS,
    f"{ROOT}/datasets/ceiling-fan/fan_0_low_0_weight/0001.csv": ROWS,
    f"{ROOT}/datasets/ceiling-fan-deploy/fan_0_low-deploy/0000.csv": ROWS,
}


def archive(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            target.writestr(name, text)
    return content.getvalue()


@dataclass
class Server:
    url: str = ""
    body: bytes = field(default_factory=lambda: archive(GOOD))
    status: int = 200
    stated_length: int | None = None  # other than the truth
    n_requests: int = 0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.n_requests += 1
            self.send_response(state.status)
            self.send_header("Content-Length", str(state.stated_length or len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}/archive"
        yield state
        http.shutdown()
        thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_fetch_unpacks_the_recordings_alone_and_only_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    dest = tmp_path / "deep" / "fan"
    found = fetch_ceiling_fan(dest, lambda *args: seen.append(args), url=server.url, sha256=None)
    assert found == dest
    assert names(dest) == [
        "SOURCE.txt",
        "fan_0_low-deploy",
        "fan_0_low-deploy/0000.csv",
        "fan_0_low_0_weight",
        "fan_0_low_0_weight/0000.csv",
        "fan_0_low_0_weight/0001.csv",
    ]
    assert [r.n_samples for r in read_recordings([dest])] == [2, 4]
    assert seen[-1] == (len(server.body), len(server.body))
    assert names(dest.parent)[0] == "fan"  # nothing else was left beside it
    fetch_ceiling_fan(dest, url=server.url, sha256=None)
    assert server.n_requests == 1


def test_fetch_holds_the_recordings_against_their_digest(server: Server, tmp_path: Path) -> None:
    first = fetch_ceiling_fan(tmp_path / "a", url=server.url, sha256=None)
    good = datasets.digest(first)
    fetch_ceiling_fan(tmp_path / "b", url=server.url, sha256=good)
    server.body = archive({**GOOD, next(reversed(GOOD)): ROWS + "0, 0, 1\n"})
    with pytest.raises(RecordingError, match="have changed"):
        fetch_ceiling_fan(tmp_path / "c", url=server.url, sha256=good)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.csv",
        "/evil.csv",
        f"{ROOT}/datasets/ceiling-fan/../../../evil.csv",
        f"{ROOT}/datasets/ceiling-fan/fan_../evil.csv",
        f"{ROOT}/datasets/ceiling-fan/fan_0/../../evil.csv",
        f"{ROOT}/datasets/ceiling-fan/fan_0\\..\\evil/0.csv",
        "../datasets/ceiling-fan/fan_0_off_0_weight/0000.csv",
    ],
)
def test_fetch_never_writes_outside_its_folder(server: Server, tmp_path: Path, name: str) -> None:
    server.body = archive({**GOOD, name: ROWS})
    dest = fetch_ceiling_fan(tmp_path / "x" / "y" / "fan", url=server.url, sha256=None)
    outside = [n for n in names(tmp_path) if not n.startswith("x/y/fan/")]
    assert outside == ["x", "x/y", "x/y/fan"]
    assert all("evil" not in n and ".." not in n for n in names(dest))


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"README.md": "hello"}, "it is not the ceiling-fan set"),
        ({f"{ROOT}/datasets/ceiling-fan/fan_0_off_0_weight/0.csv": "0, x, 1\n"}, r"0\.csv:1: y is"),
        ({f"{ROOT}/datasets/ceiling-fan/fan_0_off_0_weight/0.csv": " " * 1_000_001}, "too large"),
    ],
)
def test_fetch_refuses_another_archive(
    server: Server, tmp_path: Path, files: dict[str, str], what: str
) -> None:
    server.body = archive(files)
    with pytest.raises(RecordingError, match=what):
        fetch_ceiling_fan(tmp_path / "fan", url=server.url, sha256=None)
    assert not list(tmp_path.iterdir())


def test_fetch_says_what_the_network_did(server: Server, tmp_path: Path) -> None:
    fetch = functools.partial(fetch_ceiling_fan, tmp_path / "fan", sha256=None)
    with pytest.raises(RecordingError, match="cannot be reached"):
        fetch(url="http://127.0.0.1:1/archive")
    with pytest.raises(RecordingError, match="try again"):
        fetch(url="no url")
    server.body, whole = server.body[:50], len(server.body)
    with pytest.raises(RecordingError, match="no zip archive"):
        fetch(url=server.url)
    server.stated_length = whole
    with pytest.raises(RecordingError, match="50 of"):
        fetch(url=server.url)
    server.status = 404
    with pytest.raises(RecordingError, match="404"):
        fetch(url=server.url)
    assert not list(tmp_path.iterdir())


def test_fetch_leaves_a_folder_of_something_else_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for dest in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(RecordingError, match="something else"):
            fetch_ceiling_fan(dest, url=server.url, sha256=None)
    with pytest.raises(RecordingError, match=r"mine\.txt"):
        fetch_ceiling_fan(tmp_path / "mine.txt" / "fan", url=server.url, sha256=None)
    (tmp_path / "empty").mkdir()
    fetch_ceiling_fan(tmp_path / "empty", url=server.url, sha256=None)
    assert server.n_requests == 1


def test_data_fetch_show_and_convert(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = functools.partial(fetch_ceiling_fan, url=server.url, sha256=None)
    monkeypatch.setattr(datasets, "fetch_ceiling_fan", local)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = functools.partial(CliRunner().invoke, data, catch_exceptions=False)
    fetched = run(["fetch", "ceiling-fan"])
    folder = tmp_path / "tinyol" / "ceiling-fan"
    assert (fetched.exit_code, fetched.output.strip()) == (0, str(folder))

    shown = json.loads(run(["show", "--json", str(folder)]).output)
    assert shown[1] == {
        "name": "fan_0_low_0_weight",
        "rate_hz": 200,
        "seconds": 0.02,
        "samples": 4,
        "gaps": 1,
        "labels": {"low_0": 4},
        "unlabelled": 0,
    }
    table = run(["show", str(folder)]).output
    assert "fan_0_low-deploy" in table
    assert "low_0 4" in table

    target = str(tmp_path / "low.npz")
    run(
        ["convert", str(folder / "fan_0_low_0_weight"), target, "--label", "[b]", "--rate-hz", "99"]
    )
    assert "[b] 4" in run(["show", target]).output
    assert run(["fetch", "something"]).exit_code == 2
    with pytest.raises(RecordingError, match=r"missing\.csv"):
        run(["show", str(tmp_path / "missing.csv")])


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert datasets.cache_dir() == Path("/home/somebody/.cache/tinyol")
