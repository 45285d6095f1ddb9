"""docs/memory.md: every source file is in one line of its table, and every number is a bound that
holds and says something."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from typing import Any

import pytest
from measured_sizes import REPO, SIZE, measured

from tinyol_sim.bundle import default_bundle
from tinyol_sim.emulator.capacities import capacities_for

BOUNDS = runpy.run_path(str(REPO / "firmware" / "size" / "bounds.py"))
DOCS = (REPO / "docs" / "memory.md").read_text()
COLUMNS = ("-Os", "-O2", "ram")
SLACK = 1.15  # a bound further above what was measured says nothing
TENS = 16  # bytes by which the rounding of small numbers may exceed that


def documented() -> dict[str, dict[str, int | None]]:
    """The table's lines by name; None is an empty cell."""
    lines = re.findall(
        r"^\| \*{0,2}(.+?)\*{0,2} \| (.*?) \| (.*?) \| (.*?) \|$", DOCS, re.MULTILINE
    )
    found = {}
    for name, *bounds in lines:
        texts = [bound.strip("* ").replace(",", "") for bound in bounds]
        if all(not text or text.isdecimal() for text in texts):
            numbers = [int(text) if text else None for text in texts]
            found[name] = dict(zip(COLUMNS, numbers, strict=True))
    return found


def gcc_major() -> str | None:
    """Of the cross compiler; None without it."""
    if not shutil.which(SIZE["CROSS"]):
        return None
    command = [SIZE["CROSS"], "-dumpversion"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(".")[0]


def misses(table: dict[str, dict[str, int | None]], lines: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the table, in words."""
    wrong = []
    if list(table) != [line["name"] for line in lines]:
        wrong.append(f"lines {list(table)}, measured {[line['name'] for line in lines]}")
    for line in lines:
        for column in COLUMNS:
            measured, bound = line[column], table.get(line["name"], {}).get(column)
            if measured is None and bound is None:
                continue
            if measured is None or bound is None or measured > bound:
                wrong.append(f"{line['name']}, {column}: {measured} bytes, bound {bound}")
            elif bound > max(SLACK * measured, measured + TENS):
                wrong.append(f"{line['name']}, {column}: only {measured} bytes, bound {bound}")
    return wrong


def test_every_source_file_is_in_exactly_one_component() -> None:
    files = [file for each in SIZE["components"]() for file in each.files]
    assert sorted(files) == sorted(set(files)), "a file is counted twice"
    assert set(files) == set(SIZE["sources"]()), "firmware/size/components.json misses a file"


def test_ram_is_counted_once_and_all_of_it() -> None:
    parts = [part for each in SIZE["components"]() for part in each.ram]
    assert {part for part in parts if parts.count(part) > 1} == {"image_room"}  # there are two
    # A classifier is its heads and its rehearsal; a learner and a device are what they hold.
    whole = {"classifier", "learner", "class_table", "settings", "counters", "feature_ring"}
    assert set(parts) == {*SIZE["PARTS"], "rest_of_device"} - whole - {"model", "device"}


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What is measured, as the table has it."""
    if gcc_major() is None:
        pytest.skip(f"{SIZE['CROSS']} is not installed")
    components: list[dict[str, Any]] = measured()["components"]
    return components


def test_the_table_of_the_docs_holds(lines: list[dict[str, Any]]) -> None:
    stated = re.search(r"arm-none-eabi-g\+\+ (\d+)", DOCS)
    assert stated is not None
    if gcc_major() != stated[1]:
        pytest.skip(f"the table is of arm-none-eabi-g++ {stated[1]}, here is {gcc_major()}")
    hint = "; new bounds: python firmware/size/bounds.py"
    assert misses(documented(), lines) == [], hint


def test_device_and_components_add_up(lines: list[dict[str, Any]]) -> None:
    *parts, total = lines
    assert total["name"] == "In all"
    for column in COLUMNS:
        own = (line[column] for line in parts if line["ram"] is not None)
        assert total[column] == sum(own)
    for line in parts:
        assert line["-Os"] > 0
        if line["ram"] is None:  # other loops, so other code
            beside = next(each for each in parts if line["name"] == f"{each['name']}, plain C++")
            assert line["-Os"] != beside["-Os"]


def test_a_wrong_table_is_found_out() -> None:
    """A line too many or too few, a bound that is passed, and one that says nothing."""
    lines = [{"name": "a", "-Os": 1000, "-O2": 1100, "ram": 12}]
    good: dict[str, dict[str, int | None]] = {"a": {"-Os": 1050, "-O2": 1160, "ram": 20}}
    assert misses(good, lines) == []
    for column, bound in (("-Os", 999), ("-Os", 1151), ("-O2", None), ("ram", 11), ("ram", 29)):
        wrong = misses({"a": {**good["a"], column: bound}}, lines)
        assert len(wrong) == 1
        assert column in wrong[0]
    assert misses({**good, "b": good["a"]}, lines)
    assert len(misses({}, lines)) == 4
    assert [BOUNDS["bound"](n) for n in (0, 1, 100, 101)] == [0, 10, 110, 110]


def test_the_default_net_is_as_large_as_stated() -> None:
    bundle = default_bundle(119.0)
    stated = re.search(r"model image is ([\d,]+) bytes .* arena ([\d,]+) bytes", DOCS)
    assert stated is not None
    image, arena = (int(text.replace(",", "")) for text in stated.groups())
    assert (image, arena) == (
        len(bundle.model_image),
        capacities_for(bundle.model_image).arena_bytes,
    )
