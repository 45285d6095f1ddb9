"""Is this board its twin, bit for bit?

    pytest tests/device --device serial:/dev/ttyACM0    # or ble:NAME, emu:, sim:
    pytest tests/device --device ble:pump --bundle pump.tinyol

Everything goes to the board and to a twin in this process, in lock step: every prediction is
compared bit for bit, every state image byte for byte, and what differs first is named, a weight by
its class and place. Without --device this is a part of `make test`, on an emulated board.

What the board had learned is pulled first, and pushed back and saved at the end, whatever happens;
until then it lies in a file too, which is named should the board be gone by then. On a board with
a flash that costs a few of its 10,000 erases. Nobody else should feed the board meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from emulator_cases import HAS_GCC, HAS_ZIG

from tinyol_host.kept_state import state_folder
from tinyol_host.uri import parse_uri
from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.errors import TinyOLError
from tinyol_sim.replay import RATE_TOLERANCE

from .live_board import LiveBoard

EMULATED = "emu:?source=none&state=none"


@pytest.fixture(scope="session")
def uri(request: pytest.FixtureRequest) -> str:
    """The board's address."""
    given = request.config.getoption("--device")
    if given is not None:
        with _in_words():
            parse_uri(given)
        return str(given)
    pytest.importorskip("unicorn", reason="no unicorn: no emulated board")
    if not (HAS_GCC or HAS_ZIG):
        pytest.skip("no compiler for the Cortex-M4F, neither zig nor gcc: no emulated board")
    return EMULATED


@pytest.fixture(scope="package")
def connected(uri: str) -> Iterator[LiveBoard]:
    """The board, in a session for all tests. What it had learned is put back at the end."""
    live = LiveBoard(uri, state_folder())
    with _in_words(f"{uri}: "):
        live.begin()
    yield live
    live.end()


@pytest.fixture(scope="package")
def bundle(request: pytest.FixtureRequest, connected: LiveBoard) -> Bundle:
    """The board's model."""
    identity = connected.board.identity
    given = request.config.getoption("--bundle")
    if given is not None:
        with _in_words():
            found = Bundle.load(given)
    elif connected.board.bundle is not None:
        found = connected.board.bundle
    else:
        rates = [
            r for r in DEFAULT_BUNDLES if math.isclose(r, identity.rate_hz, rel_tol=RATE_TOLERANCE)
        ]
        if not rates:
            pytest.fail(
                f"no model ships for {identity.rate_hz:g} Hz: give the board's by --bundle FILE",
                pytrace=False,
            )
        found = default_bundle(rates[0])
    if found.model_id != identity.model_id:
        pytest.fail(
            f"the board runs model {identity.model_id}, not {found.model_id}: give its own by"
            " --bundle FILE",
            pytrace=False,
        )
    return found


@contextmanager
def _in_words(before: str = "") -> Iterator[None]:
    """What goes wrong in here is the caller's mistake or the board's, not the tests'."""
    problem: TinyOLError | None = None
    try:
        yield
    except TinyOLError as error:
        problem = error
    if problem is not None:
        pytest.fail(f"{before}{problem}", pytrace=False)


@pytest.fixture
def live(connected: LiveBoard, bundle: Bundle) -> LiveBoard:
    """The board, of which the model is known."""
    return connected


@pytest.fixture(scope="session")
def scheme(uri: str) -> str:
    """How one gets to it."""
    return parse_uri(uri).scheme
