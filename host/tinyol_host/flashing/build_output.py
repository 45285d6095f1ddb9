"""What PlatformIO and the uploader print, read as it comes: which stage, and how far.

PlatformIO writes a line for each file ("Compiling .pio/build/..."), and then, for this board:

    Flash: [===       ]  29.7% (used 282280 bytes from 917504 bytes)
    Looking for upload port...
    Forcing reset using 1200bps open/close on port /dev/ttyACM0
    Waiting for the new upload port...
    Uploading .pio/build/nano33ble_sense/firmware.bin
    Erase flash
    Write 282280 bytes to flash (69 pages)
    [=========                     ] 31% (22/69 pages)

The last line is bossac's, which begins each with a carriage return in place of a line's end.
"""

from __future__ import annotations

import re
from collections import deque

from tinyol_host.flashing.stages import Show, Stage

_KEPT_LINES = 400
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LONGEST_LINE = 4096  # of one that does not end, what came last is kept
_LINE_END = re.compile(r"[\r\n]+")
_PAGES = re.compile(r"(\d{1,3})% \((\d+)/(\d+) pages\)")
_USED = re.compile(r"^(RAM|Flash): .*\(used (\d+) bytes from (\d+) bytes\)")
_FETCHING = re.compile(r"(?:Platform|Tool|Library) Manager: Installing (\S+)")
_UPLOADING = (
    "Configuring upload protocol",
    "Looking for upload port",
    "Forcing reset using",
    "Waiting for the new upload port",
    "Uploading ",
)
_COMPILING = ("Compiling ", "Archiving ", "Indexing ")
_LINKING = ("Linking ", "Building ", "Checking size ")


class BuildOutput:
    """Attributes: stage, reached; lines, the last of them; flash_used and ram_used, in bytes."""

    def __init__(self, show: Show) -> None:
        self.stage = Stage.EXPORT
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.flash_used: int | None = None
        self.ram_used: int | None = None
        self._show = show
        self._unfinished = ""
        self._files = 0
        self._packages = 0

    def begin(self, stage: Stage) -> None:
        """Another run begins, with this stage."""
        self.stage = stage
        self._unfinished = ""
        self.lines.clear()
        self._show(stage, 0, None, "")

    def feed(self, text: str) -> None:
        """The next piece of the output, cut anywhere."""
        *lines, unfinished = _LINE_END.split(self._unfinished + text)
        self._unfinished = unfinished[-_LONGEST_LINE:]
        for line in lines:
            self._take(line)
        # bossac ends a line with the next one's beginning: it is whole before that.
        if _PAGES.search(self._unfinished):
            self._take_progress(self._unfinished)

    def end(self) -> None:
        """Nothing more will come."""
        self.feed("\n")

    def _take(self, raw: str) -> None:
        line = _ANSI.sub("", raw).rstrip()
        if not line:
            return
        if self._take_progress(line):
            return
        self.lines.append(line)
        if line.startswith(_UPLOADING):
            self._reach(Stage.UPLOAD, line.rstrip("."))
        elif line.startswith(_COMPILING):
            self._files += line.startswith("Compiling ")
            self._go(Stage.COMPILE, self._files, None, line.rsplit("/", 1)[-1])
        elif line.startswith(_LINKING):
            self._go(Stage.LINK, 0, None, "")
        elif found := _FETCHING.search(line):
            self._packages += 1
            self._go(Stage.FETCH, self._packages, None, f"{found[1]}, the first time only")
        elif used := _USED.match(line):
            if used[1] == "RAM":
                self.ram_used = int(used[2])
            else:
                self.flash_used = int(used[2])

    def _take_progress(self, line: str) -> bool:
        found = _PAGES.search(line)
        if found is None:
            return False
        self._go(Stage.UPLOAD, min(int(found[1]), 100), 100, f"page {found[2]} of {found[3]}")
        return True

    def _reach(self, stage: Stage, note: str) -> None:
        self._go(stage, 0, 100, note)

    def _go(self, stage: Stage, done: int, total: int | None, note: str) -> None:
        # From an upload there is no way back to what can be stopped without a care.
        if self.stage is Stage.UPLOAD and stage is not Stage.UPLOAD:
            return
        self.stage = stage
        self._show(stage, done, total, note)
