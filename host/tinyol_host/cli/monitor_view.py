"""The monitor's picture: a model in, something that rich can draw out, at any width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from tinyol_host.cli.monitor_model import MonitorModel
from tinyol_host.events import Prediction
from tinyol_host.watch_replies import Watch
from tinyol_sim.counted import counted
from tinyol_sim.text import printable

BARS = " ▁▂▃▄▅▆▇█"
ABOVE = "!"  # below a bar that is above the threshold, for those who see no colours
_TITLE_WIDTH = 9
_MAX_ASCII_BARS = "_.-=*#"


def draw(model: MonitorModel) -> RenderableType:
    """The whole picture; as wide as the terminal, and never wider."""
    rows: list[tuple[str, RenderableType]] = [
        ("windows", _windows(model)),
        ("error", _error(model)),
        *([("score", _score(model))] if model.two_sided else []),
        (
            "",
            _Sparkline(
                [*model.predictions],
                1.0 if model.two_sided else model.threshold,
                by_score=model.two_sided,
            ),
        ),
        ("class", _predicted(model)),
        ("", _shares(model)),
        ("label", _label(model)),
        ("fine-tune", _fine_tune(model)),
        *([("calibrate", _calibrating(model))] if _is_calibrating(model) else []),
        ("counters", _counters(model)),
        ("link", _link(model)),
    ]
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(style="dim", no_wrap=True, width=_TITLE_WIDTH)
    grid.add_column(overflow="fold", ratio=1)
    for title, content in rows:
        grid.add_row(title, content)
    head = Text(printable(model.device), style="bold", overflow="crop", no_wrap=True)
    news = [Text(printable(line), style="yellow", overflow="fold") for line in model.news]
    advice = [
        Text(printable(line), style="bold yellow", overflow="fold") for line in model.advice()
    ]
    return Group(head, grid, *advice, *news)


class _Sparkline:
    """A bar a window, the newest on the right; red, and marked, where it is an anomaly.

    Of the error, or of the score, in which the threshold is 1.
    """

    def __init__(
        self, windows: Sequence[Prediction], threshold: float | None, by_score: bool
    ) -> None:
        self._windows = windows
        self._threshold = threshold
        self._by_score = by_score

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._windows[-options.max_width :] if options.max_width > 0 else []
        if not shown:
            return
        bars = BARS if options.encoding.startswith("utf") else _MAX_ASCII_BARS
        heights = [w.score if self._by_score else w.tuned_error for w in shown]
        errors = [height if math.isfinite(height) else 0.0 for height in heights]
        # A few windows that stand far out, as where a machine starts, do not make the rest flat.
        top = sorted(errors)[int(0.95 * (len(errors) - 1))] or max(errors)
        if self._threshold is not None and self._threshold < 2 * top:
            top = max(top, self._threshold)  # where it is far above, the bars would be flat
        line, marks = Text(no_wrap=True, end="\n"), Text(no_wrap=True, end="\n", style="bold red")
        for window, error in zip(shown, errors, strict=True):
            height = error / top if top > 0 else 0.0
            bar = bars[min(len(bars) - 1, 1 + int(height * (len(bars) - 1)))]
            line.append(bar, "red" if window.anomaly else "green")
            marks.append(ABOVE if window.anomaly else " ")
        yield line
        if marks.plain.strip():
            yield marks


def _windows(model: MonitorModel) -> str:
    if not model.seen:
        return "none yet"
    due = f"{model.expected_per_s:.1f}/s at {model.identity.rate_hz:g} Hz"
    return f"{model.pace.per_s:.1f}/s, due {due}; {model.seen:,} seen"


def _error(model: MonitorModel) -> Text:
    text = Text()
    if model.last is not None:
        text.append(f"{model.last.tuned_error:.4g}", "bold red" if model.last.anomaly else "bold")
        text.append("  ")
    if model.two_sided:
        return text.append(_usual(model.watch))
    if model.threshold is not None:
        text.append(f"threshold {model.threshold:.4g}")
    if model.last is not None:
        text.append(f", {model.recent_anomalies():.0%} above")
        if model.last.alarm:
            text.append("  ALARM", "bold red")
    return text


def _usual(watch: Watch | None) -> str:
    if watch is None or not watch.normal_windows:
        return ""
    return f"usually {math.exp(watch.mean[0]):.4g}"


def _score(model: MonitorModel) -> Text:
    """How far from normal, as a share of what is still normal."""
    if model.last is None:
        return Text("")
    if model.watch is not None and not model.watch.limit:
        return Text("settling: what is normal is not known yet", style="dim")
    if not model.last.score:
        return Text("none while it is calibrated" if _is_calibrating(model) else "none yet", "dim")
    text = Text(f"{model.last.score:.2g} of 1", "bold red" if model.last.anomaly else "bold")
    text.append(f"  {model.recent_anomalies():.0%} above", "not bold default")
    if model.last.alarm:
        text.append("  ALARM", "bold red")
    return text


def _is_calibrating(model: MonitorModel) -> bool:
    return model.watch is not None and model.watch.calibration_windows_left > 0


def _calibrating(model: MonitorModel) -> Text:
    assert model.watch is not None
    steps, windows = model.watch.calibration_steps_left, model.watch.calibration_windows_left
    first = f"{counted(steps, 'step')} of fine-tuning, then " if steps else ""
    return Text(f"{first}{counted(windows, 'window')} left", style="bold cyan")


def _predicted(model: MonitorModel) -> Text:
    name = None if model.last is None else model.class_name(model.last.predicted)
    if model.last is None or name is None:
        return Text("no class known" if not model.classes else "none yet", style="dim")
    found = Text.assemble((printable(name), "bold"), f"  {model.last.confidence:.0%}")
    if model.last.unknown:
        return Text.assemble(
            ("unknown", "bold magenta"), f"  {model.last.novelty:.2g} of 1 from ", found
        )
    return found


def _shares(model: MonitorModel) -> Text:
    if not model.classes:
        return Text("")
    shares = [f"{printable(name)} {share:.0%}" for name, share in model.recent_shares()]
    if model.recent_unknown():
        shares.append(f"unknown {model.recent_unknown():.0%}")
    windows = counted(len(model.recent()), "window")
    return Text(f"last {windows}: {', '.join(shares)}" if shares else "", style="dim")


def _label(model: MonitorModel) -> Text:
    name = None if model.info is None else model.class_name(model.info.label)
    if model.info is None or name is None:
        return Text("none", style="dim")
    return Text.assemble((printable(name), "bold cyan"), f"  {_left(model.info.label_left)}")


def _fine_tune(model: MonitorModel) -> Text:
    if model.info is None or model.info.fine_tune_left == 0:
        return Text("off", style="dim")
    return Text(_left(model.info.fine_tune_left), style="bold cyan")


def _left(windows: int | None) -> str:
    return "until stopped" if windows is None else f"{counted(windows, 'window')} left"


def _counters(model: MonitorModel) -> Text:
    info = model.info
    if info is None:
        return Text("")
    steps = info.classifier.applied + info.reconstruction.applied
    skipped = sum(
        part.skipped_not_finite + part.skipped_over_limit
        for part in (info.classifier, info.reconstruction)
    )
    parts = [counted(info.windows, "window"), counted(steps, "step"), counted(info.gaps, "gap")]
    bad = [
        (skipped, "steps skipped"),
        (info.refused_samples, "samples refused"),
        (info.refused_windows, "windows refused"),
    ]
    return _with_bad(parts, bad)


def _link(model: MonitorModel) -> Text:
    health = model.health
    round_trip = health.median_round_trip_ms()
    parts = [] if round_trip is None else [f"round trip {round_trip:.1f} ms"]
    bad = [
        (health.repeats, "repeats"),
        (health.reconnects, "reconnects"),
        (health.lost_events, "events lost"),
        (health.bad_frames, "bad frames"),
    ]
    return _with_bad(parts, bad)


def _with_bad(parts: Sequence[str], bad: Sequence[tuple[int, str]]) -> Text:
    """What should be 0 stands out where it is not."""
    text = Text(", ".join(parts))
    for count, what in bad:
        text.append(", " if text.plain else "")
        text.append(f"{count:,} {what}", "yellow" if count else "dim")
    return text
