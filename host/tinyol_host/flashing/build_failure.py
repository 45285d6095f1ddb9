"""Why a build or an upload failed, out of its log: the lines that matter, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tinyol_host.flashing.stages import TWICE, Stage

_MOST_LINES = 8
_MATTERS = re.compile(
    r"error|no device|fail|denied|busy|overflow|undefined reference|\*\*\*|not found|refused"
    r"|exception|unknown|could ?n.t|cannot|timed? ?out",
    re.IGNORECASE,
)
_IGNORED = re.compile(r"^(Compiling|Archiving|Indexing|Linking|=+ )|-W[a-z-]*error")
_ANOTHER_PROGRAM = (
    "another program has the port open (a serial monitor, or ModemManager, which looks at each"
    " new port for a while): close it and flash again"
)

# What users of such boards meet, and what helps. The first that fits is told.
_KNOWN: tuple[tuple[str, str], ...] = (
    (r"open port .*(permission denied|access is denied)",
     "no permission for the port: `sudo usermod -aG dialout $USER` (uucp on some systems), then log"
     " in anew"),
    (r"resource busy|device busy|multiple access", _ANOTHER_PROGRAM),
    (r"no device found on|couldn.t find a board on the selected port|sam-ba operation failed",
     f"the board did not go into its bootloader by itself: {TWICE}"),
    (r"flash (erase|write) failed|write failed",
     f"the bootloader did not take the program; try another cable: {TWICE}"),
    (r"specify .?upload_port", "PlatformIO saw no board: name its port with -d"),
    (r"greater than maximum allowed|region .flash. overflowed|will not fit in region .flash",
     "the program is too large for the board's flash: --frozen kernels saves some of it, a smaller"
     " model more"),
    (r"region .ram. overflowed|will not fit in region .ram",
     "the program needs more RAM than the board has: a smaller model, or --frozen kernels"),
    (r"httpclienterror|could not resolve|name resolution|connectionerror|internet connection"
     r"|max retries exceeded|network is unreachable",
     "PlatformIO could not fetch its compiler and libraries: the first build needs the Internet"),
    (r"no space left", "the disk is full"),
    (r"requirements for your system",
     "PlatformIO has no compiler for this kind of computer (a Raspberry Pi, for one): flash the"
     " board from a PC; it can go back afterwards"),
    (r"bad cpu type", "the compiler is one for Intel: `softwareupdate --install-rosetta`"),
    (r"unknownpackage|could not find the package|unknown board id",
     "PlatformIO does not find a package: `pip install -U platformio`"),
)  # fmt: skip


def lines_that_matter(lines: Iterable[str]) -> list[str]:
    """The last few that look like an error; the last few of all if none does."""
    everything = [line for line in lines if line.strip()]
    found = [line for line in everything if not _IGNORED.search(line) and _matters(line)]
    return (found or everything)[-_MOST_LINES:]


def _matters(line: str) -> bool:
    known = (re.search(pattern, line, re.IGNORECASE) for pattern, _ in _KNOWN)
    return bool(_MATTERS.search(line)) or any(known)


def advice(lines: Iterable[str], stage: Stage) -> str:
    """What to do about it, in a sentence; "" if nothing is known of it."""
    text = "\n".join(lines)
    for pattern, words in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return words
    return TWICE if stage is Stage.UPLOAD else ""
