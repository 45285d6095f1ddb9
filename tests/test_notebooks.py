"""The notebooks: committed without outputs, and every cell runs, in a small version."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))
LIMIT_S = 300  # of one; all four take less than a minute where nothing else runs
NEEDS = ("nbclient", "ipykernel", "nbconvert", "sklearn", "tensorflow", "unicorn", "ziglang")
LEAST_PIXELS = 400

needs_everything = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS),
    reason='not installed: pip install "tinyol[notebooks,train,emulator]"',
)


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, **environment},
    )


def source_of(notebook: dict[str, Any]) -> str:
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"])


def outputs_of(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [o for cell in notebook["cells"] for o in cell.get("outputs", [])]


def test_there_are_four() -> None:
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert outputs_of(notebook) == []
    assert all(cell.get("execution_count") is None for cell in notebook["cells"])
    assert notebook["cells"][0]["source"][0].startswith("# ")
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_strip_takes_outputs_out(tmp_path: Path) -> None:
    notebook = json.loads(NOTEBOOKS[0].read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["1"]}]
            cell["execution_count"] = 1
            cell["metadata"] = {"collapsed": True}
    script = tmp_path / "strip.py"
    script.write_text((HERE / "strip.py").read_text())
    copy = tmp_path / NOTEBOOKS[0].name
    copy.write_text(json.dumps(notebook))
    checked = subprocess.run([sys.executable, str(script), "--check"], capture_output=True)
    assert checked.returncode == 1
    assert copy.name in checked.stderr.decode()
    subprocess.run([sys.executable, str(script)], check=True)
    assert copy.read_text() == NOTEBOOKS[0].read_text()
    assert run("strip.py", "--check").returncode == 0


def check_executed(path: Path, folder: Path, name: str) -> str:
    """All figures are there and not empty; returns what was printed."""
    executed = json.loads((folder / name).read_text())
    outputs = outputs_of(executed)
    assert not any(o["output_type"] == "error" for o in outputs)
    images = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(images) == len(re.findall(r"^\s*with panels\(", source_of(executed), re.MULTILINE))
    for image in images:
        width, height = struct.unpack(">II", base64.b64decode(image)[16:24])
        assert min(width, height) > LEAST_PIXELS
    page = (folder / name).with_suffix(".html").read_text().replace("\n", "")
    assert all(image.replace("\n", "") in page for image in images)
    return "".join("".join(o.get("text", "")) for o in outputs)


@needs_everything
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path: Path, tmp_path: Path) -> None:
    done = run("execute.py", "--small", "--out", str(tmp_path), str(path))
    assert done.returncode == 0, done.stderr[-4000:]
    printed = check_executed(path, tmp_path, path.name)
    assert "Data: " in printed
    assert "not measured" not in printed


@needs_everything
def test_says_so_where_the_real_recordings_are_missing(tmp_path: Path) -> None:
    path = NOTEBOOKS[0]
    out = ("--small", "--out", str(tmp_path), str(path))
    done = run("execute.py", *out, TINYOL_CEILING_FAN="none")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "SYNTHETIC" in check_executed(path, tmp_path, path.name)


@needs_everything
def test_failing_cell_is_named(tmp_path: Path) -> None:
    notebook = json.loads(NOTEBOOKS[0].read_text())
    notebook["cells"] = [c for c in notebook["cells"] if c["cell_type"] == "code"][:1]
    notebook["cells"][0]["source"] = ["assert 1 + 1 == 3, 'so it is'"]
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(notebook))
    done = run("execute.py", "--out", str(tmp_path / "out"), str(path))
    assert done.returncode == 1
    assert "error: broken.ipynb" in done.stderr
    assert "so it is" in done.stderr
    assert "Traceback (most recent call last)\n  File" not in done.stderr
    assert not (tmp_path / "out" / "broken.ipynb").exists()
