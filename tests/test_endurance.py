"""Years of running, in short: what `make soak` does for an hour (docs/endurance.md)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from endurance_programs import (
    SANITIZERS,
    build_program,
    model_file,
    run_program,
    sanitizing_compiler,
)
from native_build import any_compiler, compilers

WINDOWS, PER_LOOK = 250_000, 20_000
# Shares of a distribution below its running quantile, off by so much at the most: ten times what
# 30,000 samples leave open by chance.
RANK_BOUND = {0.5: 0.03, 0.9: 0.02, 0.995: 0.004}


@cache
def year(model: str, compiler: int = 0) -> list[dict[str, Any]]:
    """What the look-outs of a short year print."""
    program = build_program(compilers()[compiler])
    return run_program(program, "windows", model_file(model), WINDOWS, PER_LOOK)


@cache
def sanitized() -> Path:
    return build_program(sanitizing_compiler(), SANITIZERS)


@pytest.mark.parametrize("model", ["shipped", "full"])
def test_windows_stray_from_float64_within_bounds(model: str) -> None:
    """The program itself stops at a bound; here it must have had something to bound."""
    any_compiler()
    looks = year(model)
    assert looks[-1]["windows"] >= WINDOWS
    assert looks[-1]["lessons"] > WINDOWS / 3
    assert looks[-1]["steps"] > WINDOWS / 10
    for look in looks:
        # Float32 is not float64: no difference at all would mean that nothing was compared.
        assert 0 < look["mean"] < 0.004
        assert 0 < look["covariance"] < 0.008
        assert 0 < look["normal"] < 0.008
        assert look["largest_weight"] < 1000
    assert min(look["accuracy"] for look in looks[1:]) > 0.9
    faulty = sum(look["faulty"] for look in looks)
    assert faulty > 50
    assert sum(look["faults_seen"] * look["faulty"] for look in looks) > 0.8 * faulty


def test_two_compilers_live_the_same_year() -> None:
    """Every bit of the state, at every look."""
    if len(compilers()) < 2:
        pytest.skip("one C++ compiler: nothing to compare it with")
    assert year("shipped", 0) == year("shipped", 1)
    assert len({look["crc"] for look in year("shipped")}) == len(year("shipped"))


def test_counters_stop_where_they_must_and_change_nothing() -> None:
    printed = run_program(build_program(any_compiler()), "limits", model_file("shipped"))
    assert printed[0]["images"] > 100


def test_running_quantile_outlives_its_count() -> None:
    for found in run_program(build_program(any_compiler()), "quantile", 3_000_000):
        assert 0 < found["usual"] <= found["worst"] < RANK_BOUND[found["probability"]]


def test_a_day_of_link_churn() -> None:
    """With AddressSanitizer and UBSan; the program stops at a change lost or doubled."""
    (told,) = run_program(sanitized(), "churn", model_file("small"), 1)
    assert told["lost"] == told["doubled"] == 0
    assert told["cuts"] > 1000
    assert told["repeats"] > 1000
    assert told["changes"] > 70_000
    assert (
        min(told[name] for name in ("reboots", "power_cuts", "guesses", "saves", "not_known")) > 0
    )
    assert told["allocated"] > 0  # the sanitizer was there: what it counted did not grow


@pytest.mark.parametrize(("minutes", "step_s"), [(90, 600), (20, 20)])
def test_clocks_may_wrap_at_any_moment(minutes: int, step_s: int) -> None:
    (told,) = run_program(sanitized(), "clocks", model_file("small"), minutes, step_s)
    assert told["clocks"] == 2 * minutes * 60 / step_s
