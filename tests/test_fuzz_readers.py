"""The kept files of every reader, and some fresh ones: `make fuzz` looks for more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fuzz_targets import CORPUS, FOLDER

sys.path.insert(0, str(FOLDER))

from reader_fuzzer import Found, fuzz_reader
from readers import READERS

FRESH_RUNS = 1500


def fuzzed(name: str, runs: int, folder: Path) -> Found:
    inputs = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    return fuzz_reader(name, inputs, runs, seed=1, folder=folder)


@pytest.mark.parametrize("name", READERS)
def test_no_file_breaks_a_reader(name: str, tmp_path: Path) -> None:
    found = fuzzed(name, FRESH_RUNS, tmp_path)
    if found.broken is not None:
        data, how = found.broken
        kept = tmp_path / f"breaks-{name}"
        kept.write_bytes(data)
        pytest.fail(f"{kept}: {how}", pytrace=False)
    # They reach further than the door: some are taken, and many are refused for different reasons.
    assert found.taken > 0
    assert found.places > 100


def test_a_reader_that_breaks_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def careless(text: bytes) -> None:
        if b"nan" in text:
            raise ZeroDivisionError("a reader's own mistake")

    labels = READERS["labels"]
    reader = type(labels)(".csv", labels.mutate, lambda path: careless(path.read_bytes()))
    monkeypatch.setitem(READERS, "labels", reader)
    found = fuzzed("labels", 5000, tmp_path)
    assert found.broken is not None
    assert b"nan" in found.broken[0]
    assert "ZeroDivisionError" in found.broken[1]
