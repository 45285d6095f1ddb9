"""The command `tinyol`: a table of contents, one module a command, loaded when it is called.

Exit status: 0 success, 1 a data or device error (`error: ...` on stderr; nothing on stderr if
only the reader of a pipe has gone), 2 wrong usage, 130 interrupted, 143 and 129 ended by SIGTERM
and SIGHUP.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, TextIO

import click
from click.shell_completion import CompletionItem

from tinyol_host.cli.signals import EndedBySignal
from tinyol_sim.errors import TinyOLError
from tinyol_sim.text import printable

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}

# Each command is an attribute of its name in the module of its name, "-" being "_" there. The
# line here is what `tinyol --help` shows: it must not cost the import of numpy.
CONTENTS = {
    "A board": {
        "scan": "Find boards, and say what an emulated one needs.",
        "info": "What is it, what does it run, how is it doing?",
        "monitor": "Watch its predictions as they come.",
        "record": "Record its samples, labels and commands.",
        "self-test": "Have it check its own arithmetic.",
        "flash": "Build the firmware with a model, upload it, and check what runs.",
        "name": "What is it called?",
        "locate": "Blink its LED.",
    },
    "Teaching a board": {
        "label": "Say what it sees: windows become lessons for a class.",
        "relearn": "One class begins anew from what the board has just seen.",
        "unknown": "What did it see that no class explains? Give that a name.",
        "classes": "List the classes; add, rename, remove, weigh one.",
        "fine-tune": "Adapt its autoencoder's last layer to the machine.",
        "calibrate": "Have it learn anew what is normal here.",
        "undo": "Take back the last label or fine-tuning.",
        "metrics": "How well does it predict?",
        "set": "Show and turn its settings.",
        "reset": "Forget everything learned.",
    },
    "Who may teach": {
        "pair": "Have the board make its key, and keep that here.",
        "keys": "List the boards' keys; rotate, export, import, forget one.",
        "access": "Who may read and teach, and who tried without a key?",
    },
    "Recordings": {
        "data": "Fetch, show and convert recordings.",
        "synth": "Write a recording of a simulated fan.",
    },
    "Models": {
        "train": "Train an autoencoder on recordings and write a bundle.",
        "model": "Show a bundle; make one of another's .tflite.",
    },
    "Learning": {
        "replay": "Stream recordings through the twin: fine-tune, learn, report.",
        "sweep": "Replay with every combination of settings: one table, resumable.",
        "state": "What a device has learned: show, compare, pull, push.",
        "evaluate": "Measure on recordings how well it learns, finds and forgets.",
    },
    "Checks and tools": {
        "verify": "Hold a board against the twin, bit for bit.",
        "bench": "How fast is it, here beside its peers and on a Cortex-M4F?",
        "completion": "Print the completion script for a shell.",
    },
}
_ATTRIBUTES = {"set": "set_"}  # `set` is Python's own


class _InterruptedError(Exception):
    """Ctrl-C or the like; click would print an empty line for KeyboardInterrupt itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Contents(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in CONTENTS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        word = cmd_name.replace("-", "_")
        command = getattr(import_module(f"{__name__}.{word}"), _ATTRIBUTES.get(word, word))
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click itself would import every command to read its help.
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=line)
            for section in CONTENTS.values()
            for name, line in section.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        for title, section in CONTENTS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), line) for name, line in section.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EndedBySignal as ended:
            raise _InterruptedError(ended.number) from None
        except KeyboardInterrupt:
            raise _InterruptedError(signal.SIGINT) from None


@click.group(
    cls=_Contents,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try `tinyol replay --fine-tune 600 --learn --out report`: it needs no board and no"
    " recording of your own.",
)
@click.version_option(package_name="tinyol", message="%(prog)s %(version)s")
def cli() -> None:
    """Microcontrollers that go on learning after they have been deployed, and their twin, bit
    for bit, on your desk.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status; never a traceback for a user's mistake."""
    words = list(sys.argv[1:] if args is None else args)
    _fill_standard_files()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show every name
    try:
        status = cli.main(words, prog_name="tinyol", standalone_mode=False, obj=words)
        if sys.stdout is not None:  # closed by who started this
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except TinyOLError as error:
        return _fail(str(error), _status(error))
    except _InterruptedError as ended:
        return _interrupted(ended.number)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(signal.SIGINT)
    except BrokenPipeError:
        # A write that fails earlier ends in click or rich, which do the same.
        _drop(sys.stdout)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    return status if isinstance(status, int) else 0


def _fill_standard_files() -> None:
    """A file opened later must not become stdout or stderr, nor must a worker be without them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number


def _interrupted(number: int) -> int:
    """As shells say it: 128 + signal."""
    _tell(_WORDS[signal.Signals(number)])
    return 128 + number


def _status(error: TinyOLError) -> int:
    """2 for wrong usage, though it was seen only when a device was looked for."""
    from tinyol_host.errors import AddressError  # not before an error: it costs time

    return 2 if isinstance(error, AddressError) else 1


def _fail(message: str, status: int = 1) -> int:
    _tell(f"error: {printable(message)}")
    return status


def _tell(line: str) -> None:
    """On stderr, if that is still there: a terminal may have been closed."""
    try:
        click.echo(line, err=True)
    except OSError:
        _drop(sys.stderr)
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        _drop(sys.stdout)


def _drop(stream: TextIO | None) -> None:
    """What is still buffered must not raise once more when Python closes the stream."""
    with suppress(OSError, ValueError, AttributeError):
        assert stream is not None
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
