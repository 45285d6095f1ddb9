"""State images that are well-formed and poisonous: refused, or borne for a thousand windows.

What is accepted must never lead to a number that is not finite, nor to a state that the device
itself would refuse at its next start: it would then have lost all that it learned.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter, defaultdict
from functools import cache

import attack_count
import numpy as np
import pytest
from board_in_process import Board, refused
from composed_poisons import composed
from image_surgery import patched, resealed, sections_of, with_section, with_sections
from poison import Poison, fields_of, poisoned
from poisoned_twin import N_WINDOWS, bundle, live_on, taught_state
from small_models import vibration
from test_state_image import TAGS

from tinyol_sim.errors import StateImageError
from tinyol_sim.twin import Twin

KIND = "poisonous state images"
LIVED_A_SECTION = 24  # accepted ones that live on, of each section: all of them take minutes
N_LOOKED_AT = 20  # windows after each of which the state must be one that a device takes
EVERY_ONE = os.environ.get("TINYOL_ALL_ATTACKS") == "1"
NUMBERS = (
    *("error", "tuned_error", "log_variance", "confidence", "loss", "score", "novelty"),
    *("features", "probabilities"),
)


def accepts(twin: Twin, image: bytes) -> bool:
    try:
        twin.state = image
    except StateImageError:
        return False
    return True


def check_bears(twin: Twin, image: bytes, what: object) -> None:
    """A thousand windows from this image on are finite, and their end is a state again."""
    twin.state = image
    for window in np.split(vibration(4 * N_LOOKED_AT, seed=5), N_LOOKED_AT):
        twin.feed(window)
        assert accepts(_witness(), twin.state), what
    twin.state = image
    windows = live_on(twin)
    assert len(windows) >= N_WINDOWS - 1, what
    for name in NUMBERS:
        assert np.isfinite(getattr(windows, name)).all(), (what, name)
    after = twin.state
    payloads = dict(sections_of(after))
    for tag, at, kind in fields_of(after):
        if kind == "f":
            (value,) = struct.unpack_from("<f", payloads[tag.encode()], at)
            assert np.isfinite(value), (what, tag, at)
    assert accepts(_witness(), after), what


@cache
def _witness() -> Twin:
    return Twin(bundle())


def test_the_layouts_by_hand_cover_every_byte() -> None:
    image = taught_state()
    sizes: Counter[str] = Counter()
    for tag, _, kind in fields_of(image):
        sizes[tag] += struct.calcsize("<" + kind)
    assert list(sizes) == [tag.decode() for tag in TAGS]
    assert dict(sizes) == {tag.decode(): len(data) for tag, data in sections_of(image)}


def test_no_number_in_an_image_poisons_a_device() -> None:
    """Every field of every section with every value that might hurt."""
    twin, accepted = Twin(bundle()), defaultdict[str, list[Poison]](list)
    image, refusals = taught_state(), 0
    twin.state = image
    for poison in poisoned(image):
        attack_count.tried(KIND)
        if accepts(twin, poison.image):
            accepted[poison.section].append(poison)
            assert twin.state == poison.image, poison
            twin.state = image
            continue
        refusals += 1
        assert twin.state == image, poison  # not a byte of it was taken over
        attack_count.beaten(KIND)
    assert refusals > 20_000
    # What is not finite is nowhere taken.
    for poison in (p for section in accepted.values() for p in section if p.kind == "f"):
        assert np.isfinite(struct.unpack("<f", poison.raw)[0]), poison
    for poisons in accepted.values():
        step = 1 if EVERY_ONE else -(-len(poisons) // LIVED_A_SECTION)
        for poison in poisons[::step]:
            check_bears(twin, poison.image, poison)
        attack_count.beaten(KIND, len(poisons))


def test_no_choice_of_numbers_poisons_a_device() -> None:
    """Many fields at once, each by itself within its limits."""
    twin, n_accepted = Twin(bundle()), 0
    twin.state = image = taught_state()
    for name, poison in composed(image):
        attack_count.tried(KIND)
        if accepts(twin, poison):
            n_accepted += 1
            check_bears(twin, poison, name)
            twin.state = image
        else:
            assert twin.state == image, name
        attack_count.beaten(KIND)
    assert n_accepted > 100  # else this would be no test of what is borne


@pytest.mark.parametrize("index", [0, 1, 2**60 - 1, 2**64 - 1])
def test_no_event_lies_in_the_future(index: int) -> None:
    """Its next window would lie before its first: a state that no device would take again."""
    image, twin = taught_state(), Twin(bundle())
    payload = dict(sections_of(image))[b"UNKN"]
    samples = struct.unpack_from("<Q", dict(sections_of(image))[b"COUN"])[0]
    last_event = payload.index(struct.pack("<I", 2), 28)
    attack_count.tried(KIND)
    poison = patched(
        image, b"UNKN", last_event + 12, struct.pack("<Q", min(index + samples, 2**64 - 1))
    )
    with pytest.raises(StateImageError, match="UNKN"):
        twin.state = poison
    attack_count.beaten(KIND)


def test_sections_doubled_missing_reordered_and_foreign_are_refused() -> None:
    twin = Twin(bundle())
    image = taught_state()
    sections = sections_of(image)
    spoiled = [with_sections(image, sections[:i] + sections[i + 1 :]) for i in range(14)]
    spoiled += [with_sections(image, [*sections[: i + 1], *sections[i:]]) for i in range(14)]
    for i in range(13):
        swapped = list(sections)
        swapped[i : i + 2] = swapped[i + 1], swapped[i]
        spoiled.append(with_sections(image, swapped))
    spoiled += [with_section(image, tag, data[:-4]) for tag, data in sections]
    spoiled += [with_section(image, tag, data + bytes(4)) for tag, data in sections]
    spoiled += [with_section(image, tag, b"") for tag, _ in sections]
    for i in range(14):
        foreign = list(sections)
        foreign[i] = (b"EVIL", sections[i][1])
        spoiled.append(with_sections(image, foreign))
    # A section that says it is longer than the image, or as long as a number can be.
    for length in (0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFC):
        at = 20
        for _, data in sections:
            body = image[: at + 4] + struct.pack("<I", length) + image[at + 8 :]
            spoiled.append(resealed(body))
            at += 8 + len(data)
    twin.state = image
    for poison in spoiled:
        attack_count.tried(KIND)
        assert not accepts(twin, poison)
        assert twin.state == image
        attack_count.beaten(KIND)


def test_an_image_of_lies_about_its_own_length_is_refused() -> None:
    twin, image = Twin(bundle()), taught_state()
    twin.state = image
    for length in (0, 1, 20, 23, 24, len(image) - 1, len(image) + 1, 2**31, 2**32 - 1):
        attack_count.tried(KIND)
        body = bytearray(image[:-4])
        struct.pack_into("<I", body, 16, length)
        assert not accepts(twin, bytes(body) + struct.pack("<I", zlib.crc32(body)))
        attack_count.beaten(KIND)
    for n in range(0, len(image), 7):
        attack_count.tried(KIND)
        assert not accepts(twin, image[:n])
        assert n < 24 or not accepts(twin, resealed(image[:n]))
        attack_count.beaten(KIND)
    assert twin.state == image


def test_a_refused_image_leaves_a_board_as_it_was_and_at_work() -> None:
    """The same over the wire: one poison of each section, and the board answers on."""
    board = Board(model=bundle().model_image)
    board.hello()
    put, write, commit, ping = 38, 39, 40, 3

    def send(image: bytes) -> tuple[int, str]:
        assert not board.ask(put, struct.pack("<II", len(image), zlib.crc32(image))).status
        for at in range(0, len(image), 400):
            chunk = struct.pack("<I", at) + image[at : at + 400]
            assert not board.ask(write, chunk).status
        return refused(board.ask(commit))

    assert send(taught_state()) == (0, "")
    before = board.state()
    assert before == taught_state()
    nan, per_section = struct.pack("<f", np.nan), set()
    for tag, at, kind in fields_of(before):
        if kind != "f" or tag in per_section:
            continue
        per_section.add(tag)
        attack_count.tried(KIND)
        status, where = send(patched(before, tag.encode(), at, nan))
        assert status < 0
        assert where
        assert board.state() == before
        assert not board.ask(ping).status
        attack_count.beaten(KIND)
    assert len(per_section) == 11
