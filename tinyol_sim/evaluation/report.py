"""The evaluation as tables of text, as JSON-able values and as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tinyol_sim.counted import counted
from tinyol_sim.evaluation import anomaly, tuning, unknown
from tinyol_sim.evaluation.classification import HEADS, MACRO_F1, part_name
from tinyol_sim.evaluation.evaluate import Evaluation
from tinyol_sim.evaluation.figures import Figure, Summary, find, order_gap, summarise
from tinyol_sim.files import write_whole
from tinyol_sim.training.train_report import round_figures


@dataclass(frozen=True)
class TextTable:
    """A table: its title, and cells of text; the first column is names."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(result: Evaluation) -> list[TextTable]:
    """All tables that have rows, in reading order."""
    summaries = summarise(result.figures)
    made = [
        _parts(result),
        _choices(result),
        *(_heads(result, summaries, part) for part in _class_parts(result)),
        _auc(result, summaries, anomaly.HELD_OUT),
        _shares(result, summaries, (anomaly.TURNED, anomaly.MOVED)),
        _auc(result, summaries, anomaly.CARRIED),
        _left_out(result, summaries),
        *_tuning(summaries),
        _floors(result),
    ]
    return [table for table in made if table.rows]


def windows_note(result: Evaluation) -> str:
    """What every figure was measured with."""
    plan = result.plan
    return (
        f"window {plan.window_len}, hop {plan.hop} samples (the paper's rows: 40/40);"
        f" {counted(plan.seeds, 'seed')}; mean ± deviation over seeds, orders, draws and starts"
    )


def windows_text(result: Evaluation) -> str:
    """The plan's window and hop, for titles."""
    return f"window {result.plan.window_len}, hop {result.plan.hop}"


def as_dict(result: Evaluation) -> dict[str, Any]:
    """Everything, as JSON-able values."""
    figures: dict[str, Any] = round_figures(
        {
            "plan": asdict(result.plan),
            "split": {
                name: {
                    "from": result.split.teach[name].source,
                    "teach": result.split.teach[name].span,
                    "report": result.split.report[name].span,
                }
                for name in result.plan.named
            },
            "choices": [asdict(choice) for choice in result.choices],
            "figures": [asdict(one) for one in summarise(result.figures)],
            "order_gaps": {
                part: {
                    head.name: order_gap(result.figures, part, head.name, MACRO_F1)
                    for head in HEADS
                }
                for part in _class_parts(result)
            },
            "floors": [{**asdict(floor), "held": floor.held} for floor in result.floors],
        }
    )
    return figures


def write_csv(result: Evaluation, folder: Path) -> list[Path]:
    """Writes figures.csv (each run), summary.csv and floors.csv; returns their paths."""
    figure_names = [field.name for field in fields(Figure)]
    summary_names = [field.name for field in fields(Summary)]
    tables = {
        "figures.csv": (figure_names, (asdict(one) for one in result.figures)),
        "summary.csv": (summary_names, (asdict(one) for one in summarise(result.figures))),
        "floors.csv": (
            ["what", "bound", "measured", "at_least", "held"],
            (
                {k: v for k, v in {**asdict(one), "held": one.held}.items() if k != "kind"}
                for one in result.floors
            ),
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / name, names, rows) for name, (names, rows) in tables.items()]


def _write(path: Path, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(round_figures(row) for row in rows)
    write_whole(path, text.getvalue().encode())
    return path


def _class_parts(result: Evaluation) -> list[str]:
    plan = result.plan
    sizes = dict.fromkeys((len(plan.classes), len(plan.states)))
    return [part_name(size, n) for size in sizes for n in (plan.lessons, plan.few)]


def _parts(result: Evaluation) -> TextTable:
    rows = []
    for name in result.plan.named:
        teach, report = result.split.teach[name], result.split.report[name]
        source = (
            teach.source if teach.source == report.source else f"{teach.source}, {report.source}"
        )
        rows.append((name, source, teach.span, report.span))
    title = "Which files (or stretches without a gap) taught and chose, and which reported"
    return TextTable(title, ("state", "from", "taught, chose", "reported"), tuple(rows))


def _choices(result: Evaluation) -> TextTable:
    rows = [
        (
            choice.of,
            choice.setting.rpartition(".")[2],
            f"{choice.chosen:g}",
            " ".join(f"{value:g}→{figure:.3f}" for value, figure in choice.tried),
        )
        for choice in result.choices
    ]
    title = "Settings, chosen within the teaching part (macro F1, or mean error)"
    return TextTable(title, ("of", "setting", "chosen", "tried, start value first"), tuple(rows))


def _heads(result: Evaluation, summaries: Sequence[Summary], part: str) -> TextTable:
    rows = []
    for head in HEADS:
        summary = find(summaries, part, head.name, MACRO_F1)
        if summary is not None:
            gap = order_gap(result.figures, part, head.name, MACRO_F1) or 0.0
            least = f"{summary.least:.3f}"
            rows.append((head.name, summary.window, _plus_minus(summary), least, f"{gap:.4f}"))
    columns = ("head", "window", MACRO_F1, "worst", "order gap")
    return TextTable(f"Macro F1, {part}", columns, tuple(rows))


def _auc(result: Evaluation, summaries: Sequence[Summary], part: str) -> TextTable:
    cases = {anomaly.TWO_SIDED: anomaly.TWO_SIDED, anomaly.ERROR: anomaly.ERROR}
    if part == anomaly.HELD_OUT:
        cases[anomaly.PAPER_ERROR] = anomaly.PAPER_ERROR
    rows = []
    for name in (anomaly.POOLED, *result.plan.others):
        cells = [find(summaries, part, f"{case}: {name}", anomaly.AUC) for case in cases]
        if any(cell is not None for cell in cells):
            caught = find(summaries, part, f"{anomaly.TWO_SIDED}: {name}", anomaly.CAUGHT)
            shown = [_plus_minus(cell) if cell else "" for cell in cells]
            rows.append((name, _percent(caught.mean) if caught else "", *shown))
    title = f"AUC, {part} ({windows_text(result)})"
    if part == anomaly.CARRIED:
        title += ": each window's centred samples mapped by S_there^(1/2) S_here^(-1/2), S being"
        title += " normal's covariance; about the mean there"
    return TextTable(title, ("normal against", "above limit", *cases), tuple(rows))


def _shares(result: Evaluation, summaries: Sequence[Summary], parts: Sequence[str]) -> TextTable:
    rows = []
    for one in summaries:
        held_out = one.part == anomaly.HELD_OUT and one.name == anomaly.ABOVE
        turned = one.part == anomaly.TURNED and one.name == anomaly.ABOVE  # the difference tells
        if (one.part in parts or held_out) and not turned:
            show = _number if one.name == anomaly.ALARMS else _percent
            case = "held-out files" if held_out else one.case
            rows.append((case, one.name, f"{show(one.mean)} ± {show(one.std)}", show(one.most)))
    title = f"False alarms on normal, two-sided detector ({windows_text(result)})"
    return TextTable(title, ("normal", "figure", "mean", "worst"), tuple(rows))


def _left_out(result: Evaluation, summaries: Sequence[Summary]) -> TextTable:
    rows = []
    for one in summaries:
        if one.part == unknown.LEFT_OUT and one.name == unknown.FOUND:
            false = find(summaries, one.part, one.case, unknown.FALSE)
            rows.append((one.case, _spread_percent(one), _spread_percent(false) if false else ""))
    title = (
        f"One class left out, unknown.false_rate {unknown.FALSE_RATE:g} ({windows_text(result)})"
    )
    columns = ("left out", f"its windows {unknown.FOUND}", f"{unknown.FALSE} on the known")
    return TextTable(title, columns, tuple(rows))


def _tuning(summaries: Sequence[Summary]) -> list[TextTable]:
    found = [one for one in summaries if one.part == tuning.TUNING]
    cases = list(dict.fromkeys((one.case, one.window) for one in found))
    errors, shares = [], []
    for case, window in cases:
        by_name = {one.name: one for one in found if one.case == case}
        steps = f"{by_name[tuning.STEPS].mean:.0f}"
        means = [_plus_minus(by_name[name]) for name in (tuning.BEFORE, tuning.AFTER)]
        errors.append((case, window, steps, *means))
        cells = [by_name.get(name) for name in _TUNING_SHARES]
        shares.append((case, window, *(_percent(c.mean) if c else "" for c in cells)))
    place = "Fine-tuning at the new place"
    return [
        TextTable(
            f"{place}: {tuning.BEFORE} and after, on the same windows",
            ("rule", "window", "steps", "before", "after"),
            tuple(errors),
        ),
        TextTable(
            f"{place}: windows above the old threshold of the error before and after; and above"
            " the two-sided limit behind fine-tuning and calibration",
            ("rule", "window", "before", "after", "calibrated"),
            tuple(shares),
        ),
    ]


_TUNING_SHARES = (tuning.FIXED_BEFORE, tuning.FIXED_AFTER, tuning.CALIBRATED_ABOVE)


def _floors(result: Evaluation) -> TextTable:
    rows = []
    for floor in result.floors:
        show = _SHOW[floor.kind]
        sign = "at least" if floor.at_least else "at most"
        held = "yes" if floor.held else "NO"
        rows.append((floor.what, f"{sign} {show(floor.bound)}", show(floor.measured), held))
    title = f"What it must show, with the default head and detector ({windows_text(result)})"
    return TextTable(title, ("figure", "wanted", "measured", "held"), tuple(rows))


_SHOW: dict[str, Callable[[float], str]] = {
    "number": lambda value: f"{value:.4f}",
    "share": lambda value: f"{value:.2%}",
    "count": lambda value: f"{value:.0f}",
}


def _plus_minus(one: Summary) -> str:
    return f"{one.mean:.3f} ± {one.std:.3f}"


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _number(value: float) -> str:
    return f"{value:.1f}"


def _spread_percent(one: Summary) -> str:
    return f"{_percent(one.mean)} ± {_percent(one.std)}"
