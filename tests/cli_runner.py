"""Runs the command line in this process, or beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from small_replay import small_bundle

from tinyol_host.cli import main

PROGRAM = [sys.executable, "-c", "import sys; from tinyol_host.cli import main; sys.exit(main())"]


def with_small_model(folder: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Goes into a folder with small.tinyol in it; commands speak to `device`, and keep what it
    learned below that folder.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "home"))
    monkeypatch.setenv("TINYOL_DEVICE", device)
    small_bundle().save("small.tinyol")


class Tinyol:
    """Runs the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        status = main(list(words))
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    def refused(self, *words: str) -> str:
        """The message of a command that must fail on its data."""
        status, out, err = self(*words)
        assert (status, out) == (1, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    def done(self, *words: str) -> str:
        """What a command prints that must succeed, and be quiet on stderr."""
        status, out, err = self(*words)
        assert (status, err) == (0, "")
        return out
