"""What a shell is offered, and that it does not have to wait for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cli_runner import PROGRAM, Tinyol

from tinyol_host.cli import CONTENTS


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        **os.environ,
        "_TINYOL_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(["tinyol", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_what_the_shell_is_offered():
    assert completed("") == [name for section in CONTENTS.values() for name in section]
    assert completed("re") == ["record", "relearn", "reset", "replay"]
    assert "--windows" in completed("label", "a", "--w")
    assert {"sim:", "emu:"} <= set(completed("info", "-d", ""))
    assert completed("set", "anomaly.t") == ["anomaly.threshold"]
    assert completed("set", "--preset", "") == ["paper"]
    assert completed("unknown", "") == ["name"]
    assert completed("set", "-d", "sim:", "statistics.") == [
        "statistics.horizon",
        "statistics.learn",
    ]
    assert completed("classes", "re") == ["remove", "rename"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(capsys, shell):
    out = Tinyol(capsys).done("completion", shell)
    assert f"_TINYOL_COMPLETE={shell}_complete" in out


def test_completing_needs_none_of_the_heavy_modules():
    code = (
        "import sys; from tinyol_host.cli import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'matplotlib', 'rich', 'serial') if m in sys.modules])"
    )
    environment = {
        **os.environ,
        "_TINYOL_COMPLETE": "bash_complete",
        "COMP_WORDS": "tinyol set anom",
        "COMP_CWORD": "2",
    }
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.rstrip().endswith("[]")


def test_help_of_a_command_that_talks_to_a_board_is_quick():
    names = "scan info label classes fine-tune metrics set reset self-test bench completion"
    code = (
        f"import sys; from tinyol_host.cli import main\nfor name in {names.split()!r}:\n"
        "    main([name, '-h'])\n"
        "print([m for m in ('numpy', 'rich', 'serial', 'cffi') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("[]")
