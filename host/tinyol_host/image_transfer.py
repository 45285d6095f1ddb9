"""State images to and from a board, in chunks that fit its link, checked by their CRC-32.

A cut of the link is bridged by the session: the same chunk is asked for again. Where the device
has dropped the transfer meanwhile, it begins anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from itertools import accumulate

from tinyol_host import requests
from tinyol_host.chunk_size import ChunkSize
from tinyol_host.errors import LinkError, ProtocolError, RefusedError
from tinyol_host.protocol import AUTH_TRAILER_BYTES, HEADER_BYTES, Opcode
from tinyol_host.replies import ImageSize, Reply
from tinyol_host.session import Session
from tinyol_sim.errors import DeviceError, StateImageError
from tinyol_sim.refusals import NOT_FOUND, TOO_SMALL, WRONG_MODEL

Progress = Callable[[int, int], None]  # bytes done, bytes in all

ATTEMPTS = 5  # to move an image, where the device dropped it on the way
_OUTCOME_BYTES, _OFFSET_BYTES = 12, 4
# Of them, those that ask for several chunks at a time: the device ends a transfer with its last
# byte, so that one reply lost on the way then costs the whole image.
_ATTEMPTS_AHEAD = 2
_CHUNKS_AT_ONCE = 32  # between two calls of `progress`
# What says that it is the image that is refused, not the way there.
_OF_THE_IMAGE = range(-15, -5)


async def pull_image(
    session: Session,
    announce: Callable[[], Awaitable[Reply]],
    max_message: Callable[[], int],
    progress: Progress | None = None,
) -> tuple[bytes, int]:
    """Reads the image that `announce` has staged on the device.

    Args:
        announce: has IMAGE_GET or SESSION_BEGIN executed, anew if the transfer was dropped.
        max_message: bytes that one message may have now.

    Returns the image, and the index of the first sample that is not in it.
    """
    for attempt in range(ATTEMPTS):
        reply = await announce()
        size = ImageSize.from_bytes(reply.body)
        if size.length > session.identity.max_image_bytes:
            raise ProtocolError(
                f"the device announces a state image of {size.length} bytes; it had said that"
                f" {session.identity.max_image_bytes} are the most"
            )
        try:
            ahead = attempt < _ATTEMPTS_AHEAD
            image = await _read_chunks(session, size.length, max_message, progress, ahead)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            continue
        if zlib.crc32(image) == size.crc:
            return image, reply.at
    raise LinkError(f"the state image did not arrive whole in {ATTEMPTS} attempts")


async def push_image(
    session: Session,
    image: bytes,
    max_message: Callable[[], int],
    progress: Progress | None = None,
) -> int:
    """Has the device take over an image; returns the index of the next sample.

    Raises:
        StateImageError: damaged, of another model or version; the device is unchanged.
    """
    crc = zlib.crc32(image)
    for _ in range(ATTEMPTS):
        try:
            await session.request(Opcode.IMAGE_PUT, requests.image_put(len(image), crc))
            await _write_chunks(session, image, max_message, progress)
            return (await session.request(Opcode.IMAGE_COMMIT)).at
        except RefusedError as error:
            if error.status == NOT_FOUND and error.where == "image put":
                continue
            raise _worded(error, len(image)) from None
    raise LinkError(f"the state image did not get there whole in {ATTEMPTS} attempts")


async def _read_chunks(
    session: Session,
    length: int,
    max_message: Callable[[], int],
    progress: Progress | None,
    ahead: bool,
) -> bytes:
    image = bytearray()
    chunk = ChunkSize(session)
    while len(image) < length:
        room = max_message() - HEADER_BYTES - _OUTCOME_BYTES - AUTH_TRAILER_BYTES
        sizes = _sizes(length - len(image), chunk.next(room))
        starts = accumulate(sizes, initial=len(image))
        calls = [
            (Opcode.IMAGE_READ, requests.image_read(start, size))
            for start, size in zip(starts, sizes, strict=False)
        ]
        for size, reply in zip(sizes, await _ask(session, calls, ahead), strict=False):
            if len(reply.body) != size:
                raise ProtocolError(
                    f"the device sent {len(reply.body)} bytes of an image, not {size}"
                )
            image += reply.body
        if progress is not None:
            progress(len(image), length)
    return bytes(image)


async def _write_chunks(
    session: Session, image: bytes, max_message: Callable[[], int], progress: Progress | None
) -> None:
    done = 0
    chunk = ChunkSize(session)
    while done < len(image):
        room = max_message() - HEADER_BYTES - _OFFSET_BYTES - AUTH_TRAILER_BYTES
        sizes = _sizes(len(image) - done, chunk.next(room))
        starts = accumulate(sizes, initial=done)
        calls = [
            (Opcode.IMAGE_WRITE, requests.image_write(start, image[start : start + size]))
            for start, size in zip(starts, sizes, strict=False)
        ]
        try:
            replies = await _ask(session, calls)
        except RefusedError as error:
            # More had been executed than was answered, before the link faltered.
            if error.where != "image write" or not done < error.need <= len(image):
                raise
            done = error.need
        else:
            done += sum(sizes[: len(replies)])
        if progress is not None:
            progress(done, len(image))


def _sizes(n_bytes: int, chunk: int) -> list[int]:
    """Of the next chunks: all that one call of _ask may take."""
    n_chunks = min(_CHUNKS_AT_ONCE, -(-n_bytes // chunk))
    return [min(chunk, n_bytes - i * chunk) for i in range(n_chunks)]


async def _ask(
    session: Session, calls: list[tuple[Opcode, bytes]], ahead: bool = True
) -> list[Reply]:
    """The replies to the first of them, to one at least."""
    replies: list[Reply] = []
    if ahead and session.is_reliable and len(calls) > 1:
        replies = await session.request_ahead(calls)
    return replies or [await session.request(*calls[0])]


def _worded(error: RefusedError, length: int) -> DeviceError | StateImageError:
    if error.status == WRONG_MODEL:
        return StateImageError("this state image belongs to another model")
    if error.status == TOO_SMALL and error.where == "staging":
        return StateImageError(
            f"the state image has {length} bytes; this device takes at most {error.have}"
        )
    if error.status in _OF_THE_IMAGE or error.status == -1:
        return StateImageError(f"the state image is refused: {error}")
    return error
