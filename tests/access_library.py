"""The native library of what keeps strangers out: a thin face of tests/native/access_api.h."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from cffi import FFI
from native_build import NATIVE, Native, any_compiler, build

from tinyol_sim import _build

PARTS = (
    "blake2s",
    "bytes",
    "failure_limit",
    "float_math",
    "random_pool",
    "secret_bytes",
    "session_auth",
)
REQUEST, REPLY_OR_EVENT = 1, 2  # directions


@cache
def load_access() -> Native:
    """Builds and loads the library; the test skips without a compiler."""
    header = (NATIVE / "access_api.h").read_text()
    ffi = FFI()
    ffi.cdef("\n".join(re.findall(r"// cdef begin\n(.*?)// cdef end", header, re.DOTALL)))
    core = [(_build.CORE / "tinyol" / f"{part}.cpp").as_posix() for part in PARTS]
    sources = [*core, "tests/native/access_api.cpp"]
    library = build(any_compiler(), "access.so", sources, ("-O2", "-ffp-contract=off"))
    return Native(ffi, ffi.dlopen(str(library)))


def blake2s(text: bytes, key: bytes = b"", digest_size: int = 32, step: int = 0) -> bytes:
    """`text` is added `step` bytes at a time; 0: all at once."""
    native = load_access()
    out = native.ffi.new("uint8_t[]", digest_size)
    arguments = (key, len(key), text, len(text), step or len(text) or 1, out, digest_size)
    native.lib.tinyol_access_hash(*arguments)
    return bytes(native.ffi.buffer(out))


class RandomPool:
    """tinyol::RandomPool."""

    def __init__(self, source: int, seed: bytes) -> None:
        self.ffi, self.lib = load_access().ffi, load_access().lib
        assert len(seed) == 32
        self.handle = self.ffi.gc(
            self.lib.tinyol_random_new(source, seed), self.lib.tinyol_random_free
        )

    @property
    def source(self) -> int:
        return int(self.lib.tinyol_random_source(self.handle))

    def draw(self, n: int) -> bytes | None:
        """None where it refuses: then nothing was written."""
        out = self.ffi.new("uint8_t[]", n)
        if self.lib.tinyol_random_draw(self.handle, out, n):
            return bytes(self.ffi.buffer(out))
        assert bytes(self.ffi.buffer(out)) == bytes(n)
        return None


class FailureLimit:
    """tinyol::FailureLimit; times may be beyond 32 bits."""

    def __init__(self) -> None:
        native = load_access()
        self.lib = native.lib
        self.handle = native.ffi.gc(self.lib.tinyol_limit_new(), self.lib.tinyol_limit_free)

    def failed(self, now_ms: int) -> None:
        self.lib.tinyol_limit_failed(self.handle, now_ms & 0xFFFFFFFF)

    def succeeded(self) -> None:
        self.lib.tinyol_limit_succeeded(self.handle)

    def wait_ms(self, now_ms: int) -> int:
        return int(self.lib.tinyol_limit_wait_ms(self.handle, now_ms & 0xFFFFFFFF))


class SessionAuth:
    """tinyol::SessionAuth."""

    def __init__(self) -> None:
        native = load_access()
        self.ffi, self.lib = native.ffi, native.lib
        self.handle = self.ffi.gc(self.lib.tinyol_auth_new(), self.lib.tinyol_auth_free)

    def challenge(self, key: bytes, host: bytes, device: bytes, session: int, boot_id: int) -> None:
        self.lib.tinyol_auth_challenge(self.handle, key, host, device, session, boot_id)

    def confirm(self) -> None:
        self.lib.tinyol_auth_confirm(self.handle)

    def forget(self) -> None:
        self.lib.tinyol_auth_forget(self.handle)

    @property
    def state(self) -> tuple[bool, bool]:
        """Challenged, live."""
        lib = self.lib
        return bool(lib.tinyol_auth_challenged(self.handle)), bool(
            lib.tinyol_auth_live(self.handle)
        )

    @property
    def is_wiped(self) -> bool:
        return bool(self.lib.tinyol_auth_is_wiped(self.handle))

    def verify(self, direction: int, counter: int, message: bytes) -> bool:
        """`message`: with its trailer."""
        arguments: tuple[Any, ...] = (direction, counter, message, len(message))
        return bool(self.lib.tinyol_auth_verify(self.handle, *arguments))

    def seal(
        self, direction: int, counter: int, message: bytes, answered: bytes | None = None
    ) -> bytes:
        """The message with its trailer."""
        out = self.ffi.new("uint8_t[]", message + bytes(8))
        before = self.ffi.NULL if answered is None else answered
        self.lib.tinyol_auth_seal(self.handle, direction, counter, out, len(message), before)
        return bytes(self.ffi.buffer(out, len(message) + 8))
