"""docs/security-tests.md names tests that there are, and leaves none of the attacks out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "security-tests.md").read_text(encoding="utf-8")


def defined_tests(path: Path) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {n.name for n in tree.body if isinstance(n, functions) and n.name.startswith("test_")}


def named() -> dict[str, set[str]]:
    """Tests that the page names, by file."""
    found: dict[str, set[str]] = {}
    for file, test in re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE):
        found.setdefault(file, set()).add(test)
    return found


def test_every_named_test_exists() -> None:
    assert sum(map(len, named().values())) > 50
    for file, tests in named().items():
        assert tests <= defined_tests(TESTS / file), file


def test_every_attack_is_in_the_table() -> None:
    for path in (*TESTS.glob("test_attacks_*.py"), TESTS / "test_constant_time.py"):
        assert named().get(path.name, set()) == defined_tests(path), path.name


def test_every_row_has_a_threat_a_defence_and_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "|---" not in line]
    rows = [row for row in rows if "| threat |" not in row and "::" in row]
    assert len(rows) > 45
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert all(cells), row
        assert "::" in cells[2], row


def test_the_figures_say_that_none_succeeded() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.M)
    tried = {name: int(n.replace(",", "")) for name, n, _ in rows}
    assert all(succeeded == "0" for _, _, succeeded in rows)
    assert tried.pop("all") == sum(tried.values()) > 300_000
