"""Lists that come in pages, as frozen dataclasses: the host asks until it has all.

Fields and order: docs/wire-protocol.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tinyol_host.errors import ProtocolError
from tinyol_host.payloads import exactly, text

_STATUS = struct.Struct("<Iff")


@dataclass(frozen=True)
class SettingsPage:
    """Part of the settings."""

    total: int  # settings that there are
    values: dict[int, float]  # by id, from the place asked for on

    @classmethod
    def from_bytes(cls, body: bytes) -> SettingsPage:
        """ProtocolError if the body is not as specified."""
        total, here = exactly(struct.Struct("<HH"), body[:4], "SETTINGS_LIST's reply")
        fields = exactly(struct.Struct(f"<{'HHf' * here}"), body[4:], "SETTINGS_LIST's values")
        return cls(total, dict(zip(fields[0::3], fields[2::3], strict=True)))


@dataclass(frozen=True)
class ClassPage:
    """Part of the list of classes."""

    total: int  # classes that there are
    names: tuple[str, ...]  # from the index asked for on

    @classmethod
    def from_bytes(cls, body: bytes) -> ClassPage:
        """ProtocolError if the body is not as specified."""
        total, here = exactly(struct.Struct("<HH"), body[:4], "CLASSES_LIST's reply")
        raw = exactly(struct.Struct(f"<{'16s' * here}"), body[4:], "CLASSES_LIST's names")
        return cls(total, tuple(text(name) for name in raw))


@dataclass(frozen=True)
class ClassStatus:
    """What a class has learned; its name is in CLASSES_LIST, at the same index."""

    lessons: int
    weight: float  # how likely it is before anything is seen, relative to the others
    limit: float  # of the squared distance from its mean; 0 while it is young


@dataclass(frozen=True)
class ClassStatusPage:
    """Part of the classes."""

    total: int  # classes that there are
    classes: tuple[ClassStatus, ...]  # from the index asked for on

    @classmethod
    def from_bytes(cls, body: bytes) -> ClassStatusPage:
        """ProtocolError if the body is not as specified."""
        total, here = exactly(struct.Struct("<HH"), body[:4], "CLASS_STATUS' reply")
        if len(body) != 4 + here * _STATUS.size:
            raise ProtocolError(
                f"CLASS_STATUS' classes have {len(body) - 4} bytes, not {here * _STATUS.size}"
            )
        return cls(total, tuple(ClassStatus(*fields) for fields in _STATUS.iter_unpack(body[4:])))
