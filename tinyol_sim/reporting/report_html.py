"""The report's page: text, tables and embedded plots; light or dark as the reader's system is.

Every text that comes from a recording, a bundle or the command line passes through `escape`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tinyol_sim.replay import LEARN, ReplayResult
from tinyol_sim.reporting.flat_text import flattened
from tinyol_sim.reporting.replay_summary import (
    CLASS_COLUMNS,
    ERROR_COLUMNS,
    NOTICE_COLUMNS,
    class_rows,
    error_rows,
    headline,
    notice_rows,
    short_float,
)
from tinyol_sim.reporting.theme import DARK, DPI, LIGHT, PAGE_DPI, Theme
from tinyol_sim.settings import SETTINGS
from tinyol_sim.text import printable


@dataclass(frozen=True)
class Picture:
    """A plot in both themes, PNG bytes; empty ones say: the caption tells why there is none."""

    name: str
    title: str
    caption: str
    light: bytes = b""
    dark: bytes = b""


def render_html(
    result: ReplayResult, summary: Mapping[str, Any], pictures: Sequence[Picture], command: str
) -> str:
    """The whole page. `summary`: of `summarise(result)`; `command`: "" leaves it out."""
    title = f"Replay of {result.stream.name if len(result.names) <= 3 else 'recordings'}"
    parts = [f"<h1>{escape(title)}</h1>"]
    parts += [f'<p class="note">{escape(note)}</p>' for note in summary["notes"]]
    parts.append(_pairs(headline(summary)))
    shown = {picture.name: _figure(picture) for picture in pictures}
    for picture in pictures:
        parts += [f"<h2>{escape(picture.title)}</h2>", shown[picture.name]]
        if picture.name == "timeline" and (rows := notice_rows(summary)):
            parts.append(_table(NOTICE_COLUMNS, rows))
        if picture.name == "error":
            parts.append(_table(ERROR_COLUMNS, error_rows(summary)))
        if picture.name == "f1" and (rows := class_rows(summary)):
            parts.append(_table(CLASS_COLUMNS, rows))
    parts += ["<h2>Settings</h2>", _settings(result)]
    parts += ["<h2>Model</h2>", _pairs(_model(result))]
    if result.bundle.provenance:
        made = _pairs(flattened(result.bundle.provenance))
        parts.append(f"<details>\n<summary>How it was made</summary>\n{made}\n</details>")
    if command:
        parts += ["<h2>Made by</h2>", f"<pre>{escape(printable(command))}</pre>"]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_css()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _figure(picture: Picture) -> str:
    if not picture.light:
        return f'<p class="quiet">{escape(picture.caption)}</p>'
    width, height = struct.unpack(">II", picture.light[16:24])  # PNG: IHDR comes first
    light, dark = (
        f"data:image/png;base64,{base64.b64encode(image).decode()}"
        for image in (picture.light, picture.dark)
    )
    return (
        "<figure>\n<picture>\n"
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
        f'<img src="{light}" alt="{escape(picture.title)}: {escape(picture.caption)}"'
        f' width="{width * PAGE_DPI // DPI}" height="{height * PAGE_DPI // DPI}">\n'
        f"</picture>\n<figcaption>{escape(picture.caption)}</figcaption>\n</figure>"
    )


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n'
        for name, value in rows
    )
    return f'<table class="pairs">\n{cells}</table>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return (
        f'<div class="wide"><table class="figures">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>"
    )


def _settings(result: ReplayResult) -> str:
    rows = []
    for name, value in result.settings.items():
        initial = SETTINGS[name].initial
        changed = "" if value == initial else "changed"
        if name == LEARN:
            changed = "for this replay"
        rows.append((name, short_float(value), short_float(initial), changed))
    return _table(("setting", "value", "device's default", ""), rows)


def _model(result: ReplayResult) -> list[tuple[str, str]]:
    bundle, pipeline = result.bundle, result.bundle.pipeline
    return [
        ("model id", bundle.model_id),
        ("rate", f"{pipeline.rate_hz:g} Hz"),
        ("window", f"{pipeline.window_len} samples, a new one every {pipeline.hop}"),
        ("axes, centring", f"{pipeline.axes}, {pipeline.centring}"),
        ("features", ", ".join(pipeline.features)),
    ]


def _css() -> str:
    def colours(theme: Theme) -> str:
        return (
            f"--page:{theme.page};--ink:{theme.ink};--quiet:{theme.quiet};"
            f"--line:{theme.grid};--mark:{theme.tuned}"
        )

    return (
        f":root{{{colours(LIGHT)}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{{colours(DARK)}}}}}\n" + _RULES
    )


_RULES = """\
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:900px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;line-height:1.25;overflow-wrap:anywhere}
h2{font-size:19px;margin:40px 0 8px}
figure{margin:0 0 16px}
img{max-width:100%;height:auto;display:block}
figcaption,.quiet{color:var(--quiet);font-size:14px}
.note{border-left:4px solid var(--mark);margin:8px 0;padding:2px 12px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:4px 16px 4px 0;border-bottom:1px solid var(--line)}
th{font-weight:600}
.pairs th{white-space:nowrap;color:var(--quiet);font-weight:400}
.pairs td{overflow-wrap:anywhere}
.figures{font-size:14px}
.figures td+td,.figures th+th{text-align:right}
summary{margin:16px 0 8px;cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--line);padding:12px;font-size:14px}
"""
