"""With nothing but pyproject's `dependencies` installed every device command and a replay work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_requirements import EXTRAS, RUNTIME

from tinyol_sim.report import NO_MATPLOTLIB

REPO = Path(__file__).parents[1]
# The module that a distribution brings, where its name is another.
MODULES = {"pyserial": "serial", "tensorflow-cpu": "tensorflow", "scikit-learn": "sklearn"}
# Taken only where they are there: `except ImportError` beside them says what is done without.
OPTIONAL = {"IPython", "unicorn", "tensorflow", "ziglang", "keyring"}
WITHOUT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None  # an import of it fails, as if it were not installed
from tinyol_host.cli import main
sys.argv = ["tinyol", *{arguments!r}]
main()
"""


def modules(requirements: list[str]) -> set[str]:
    names = [re.split(r"[^A-Za-z0-9_.-]", one, maxsplit=1)[0] for one in requirements]
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


MISSING = sorted({one for extra in EXTRAS.values() for one in modules(extra)} - modules(RUNTIME))


def tinyol(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = WITHOUT.format(missing=MISSING, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["info"],
        ["monitor", "--seconds", "2"],
        ["label", "normal", "--add", "--windows", "2"],
        ["classes"],
        ["metrics"],
        ["state", "pull", "fan.state"],
        ["set"],
        ["scan", "--help"],
        ["model", "--help"],
        ["verify", "--help"],
        ["sweep", "-o", "table.csv", "--fine-tune", "0,20"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_device_command_needs_the_runtime_set_only(arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TINYOL_KEYS", str(tmp_path / "keys.json"))
    done = tinyol(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_replay_without_matplotlib_is_a_report_without_plots(tmp_path):
    done = tinyol("replay", "--fine-tune", "20", "--learn", "--out", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert NO_MATPLOTLIB in done.stderr
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count("matplotlib is not installed") == 4
    assert "<img" not in page
    assert (tmp_path / "report" / "windows.csv").stat().st_size > 1000
    assert not list((tmp_path / "report").glob("*.png"))


def test_every_import_is_declared():
    """A third party's module is in `dependencies` or, where an extra brings it, imported late."""
    runtime, extras = modules(RUNTIME), set(MISSING)
    drawing = {"tinyol_sim/reporting", "tinyol_sim/synth_plot.py", "tinyol_sim/walkthrough"}
    for folder in ("host", "tinyol_sim"):
        for path in (REPO / folder).rglob("*.py"):
            name = path.relative_to(REPO).as_posix()
            for module in imported(path) - set(sys.stdlib_module_names) - runtime:
                if module in ("tinyol_sim", "tinyol_host"):
                    continue
                assert module in extras | OPTIONAL, f"{name} imports {module}"
                if module == "matplotlib":
                    assert any(name.startswith(one) for one in drawing), name


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found
