"""Hosts that come and go, in short: `make soak` does 30 days of it (docs/endurance.md)."""

from __future__ import annotations

import asyncio

from host_churn import live

VISITS, WARM = 150, 50
PATIENCE_S = 300.0


def test_changes_are_made_once_and_nothing_piles_up() -> None:
    churn, first, last = asyncio.run(asyncio.wait_for(live(VISITS, WARM), PATIENCE_S))
    assert churn.visits == VISITS
    assert churn.cuts > VISITS / 2
    assert churn.reboots > 0
    assert churn.changes > 2 * VISITS
    assert churn.changes + churn.not_known == churn.requests
    assert churn.lost == churn.doubled == 0
    assert last.traced_bytes - first.traced_bytes < 64 * 1024
    assert (last.tasks, last.files) == (first.tasks, first.files)
