from __future__ import annotations

import base64
import csv
import re
import struct
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from small_replay import recording, small_bundle

from tinyol_sim.errors import TinyOLError
from tinyol_sim.replay import Plan, ReplayResult, replay
from tinyol_sim.report import write_report
from tinyol_sim.reporting.theme import LIGHT
from tinyol_sim.reporting.timeline_plot import timeline, timeline_remarks
from tinyol_sim.reporting.windows_csv import COLUMNS
from tinyol_sim.twin import NOTICES

# Names that are markup, a formula, hidden from legends, and not in the font.
NAMES = ("<script>x", "$x^{2$", "_idle&", "停止")
RECORDING_NAME = '"><img src=x>'
COMMAND = "tinyol replay 'a<b>&c'"


def odd_recording(rounds: int = 2):
    parts = [(name, 80) for _ in range(rounds) for name in NAMES]
    plain = recording([*parts, (None, 600)], gaps=[30, 700], name=RECORDING_NAME)
    return plain


@pytest.fixture(scope="module")
def result() -> ReplayResult:
    return replay(small_bundle(), [odd_recording()], Plan(learn=True, fine_tune=40))


@pytest.fixture(scope="module")
def folder(result: ReplayResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_report(result, tmp_path_factory.mktemp("out") / "made", command=COMMAND)
    assert path.name == "report.html"
    return path.parent


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_stands_alone(page):
    addresses = re.findall(r'(?:src|srcset|href|action|data|poster)\s*=\s*"([^"]*)"', page)
    assert len(addresses) == 8  # four plots, light and dark
    for address in addresses:
        kind, _, content = address.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content, validate=True).startswith(b"\x89PNG")
    text = re.sub(r"base64,[^\"]*", "", page)
    for outside in ("http:", "https:", "//", "@import", "url(", "<script", "<link", "<iframe"):
        assert outside not in text
    assert not re.search(r"\son\w+=", text)


def test_dark_and_light_are_both_there(page):
    assert page.count("prefers-color-scheme: dark") == 1 + 4
    dark, light = re.search(r'srcset="([^"]*)">\n<img src="([^"]*)"', page).groups()
    assert dark != light


def test_every_name_is_escaped(page):
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", re.sub(r"base64,[^\"]*", "", page)))
    known = "html head meta title style body main h1 h2 p table thead tbody tr th td div figure"
    known += " picture source img figcaption details summary pre"
    assert tags <= set(known.split())
    shown = unescape(page)
    for text in (*NAMES, RECORDING_NAME, COMMAND, "<b>tests</b>"):
        assert text in shown


def test_figures_of_the_summary_are_on_the_page(page, result):
    assert result.bundle.model_id in page
    assert f"{len(result.windows):,} of 12 samples" in page
    assert "end of fine-tuning" in page
    assert "reconstruction.learning_rate" in page
    assert "states[1].auc" in page


@pytest.mark.parametrize("name", ["timeline", "error", "f1", "confusion"])
def test_plots_are_files_too_and_sharp(folder, page, name):
    png = (folder / f"{name}.png").read_bytes()
    assert base64.b64encode(png).decode() in page
    width, height = struct.unpack(">II", png[16:24])
    assert f'width="{width // 2}" height="{height // 2}"' in page
    if name != "confusion":
        assert width == 1800


def test_windows_csv_holds_every_window_exactly(folder, result):
    with open(folder / "windows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(result.windows)
    for name in ("error", "tuned_error", "log_variance", "confidence", "score", "novelty"):
        column = np.array([row[name] for row in rows], dtype=np.float32)
        assert np.array_equal(column, getattr(result.windows, name))
    names = (*result.class_names, "")
    assert [row["label"] for row in rows] == [names[i] for i in result.truth]
    assert [row["predicted"] for row in rows] == [names[i] for i in result.windows.predicted]
    assert [int(row["sample_index"]) for row in rows] == result.sample_index.tolist()
    assert np.allclose([float(row["time_s"]) for row in rows], result.time_s, atol=1e-6)
    for name in ("anomaly", "learned", "fine_tuned", "alarm", "unknown"):
        assert [bool(int(row[name])) for row in rows] == getattr(result.windows, name).tolist()
    for row, bits in zip(rows, result.windows.notices.tolist(), strict=True):
        assert sum(NOTICES[name] for name in row["notices"].split()) == bits


def test_a_plot_without_data_is_said_in_words_and_an_old_one_removed(tmp_path):
    (tmp_path / "f1.png").write_bytes(b"of an earlier replay")
    plain = replay(small_bundle(), [recording([(None, 60)])])
    page = write_report(plain, tmp_path).read_text(encoding="utf-8")
    assert not (tmp_path / "f1.png").exists()
    assert not (tmp_path / "confusion.png").exists()
    assert "No labelled window was predicted" in page
    assert (tmp_path / "timeline.png").exists()
    assert "Made by" not in page


@pytest.mark.parametrize(
    ("parts", "plan", "says"),
    [
        ([("normal", 12)], Plan(learn=True, fine_tune=1), "No labelled window was predicted"),
        ([("normal", 400)], Plan(learn=True), "There was one class only"),
    ],
)
def test_small_replays_have_a_report(tmp_path, parts, plan, says):
    result = replay(small_bundle(), [recording(parts)], plan)
    page = write_report(result, tmp_path).read_text(encoding="utf-8")
    assert says in page


def test_the_caption_speaks_of_gaps_only_as_they_are_drawn(page):
    assert "Dotted lines are gaps in the recordings." in page
    none = replay(small_bundle(), [recording([(None, 3000)])])
    many = replay(small_bundle(), [recording([(None, 3000)], gaps=range(20, 2860, 20))])
    assert timeline_remarks(none) == ""
    assert timeline_remarks(many) == " The 142 gaps in the recordings are too many to be drawn."


def test_each_window_fills_the_height_of_its_band_until_there_are_too_many(result):
    figure = timeline(result, LIGHT)
    bands = [axes.images[0].get_array() for axes in figure.axes[:2]]
    for band, labels in zip(bands, (result.truth, result.windows.predicted), strict=True):
        assert len(band) == 1
        changed = np.any(np.diff(band[0], axis=0), axis=1)
        assert changed.sum() == np.count_nonzero(np.diff(labels))
    long = replay(small_bundle(), [recording([(None, 9000)])])
    assert "share of the height" in timeline_remarks(long)


@pytest.mark.parametrize("learn", [False, True])
def test_no_label_and_no_prediction_are_two_things(learn):
    parts = [("normal", 100), (None, 100)] if learn else [(None, 50), ("normal", 100)]
    plan = Plan(learn=learn, settings={"classifier.head": 0.0})  # predicts from the start
    figure = timeline(replay(small_bundle(), [recording(parts)], plan), LIGHT)
    legend = figure.legends[0]
    names = [text.get_text().strip() for text in legend.get_texts()]
    assert names == ["normal", "no label", *["no prediction"] * (not learn)]
    assert len({patch.get_facecolor() for patch in legend.get_patches()}) == len(names)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path, result):
    (tmp_path / "taken").write_text("")
    with pytest.raises(TinyOLError, match="taken"):
        write_report(result, tmp_path / "taken")


def test_the_timeline_shows_what_was_noticed_and_the_score(tmp_path):
    fault = recording([("normal", 1500), ("loud", 300), ("normal", 400)])
    hidden = np.where(fault.labels == fault.label_names.index("loud"), -1, fault.labels)
    result = replay(
        small_bundle(), [replace(fault, labels=hidden.astype(np.int16))], Plan(learn=True)
    )
    axes_of = {axes.get_ylabel(): axes for axes in timeline(result, LIGHT).axes}
    score = axes_of["anomaly score"].lines[0].get_ydata()
    judged = result.windows.score > 0
    assert np.array_equal(np.isnan(score), ~judged)
    assert np.allclose(score[judged], result.windows.score[judged].clip(1e-2, 1e2))
    (rows,) = [
        [text.get_text() for text in axes.get_yticklabels()]
        for axes in axes_of.values()
        if "alarm" in [text.get_text() for text in axes.get_yticklabels()]
    ]
    assert rows[:2] == ["alarm", "unknown"]
    page = write_report(result, tmp_path).read_text(encoding="utf-8")
    assert "unknown to all classes" in page
    # Where the fixed threshold decides, the error says it all.
    plain = replay(small_bundle(), [fault], Plan(settings={"anomaly.detector": 0.0}))
    assert "anomaly score" not in {axes.get_ylabel() for axes in timeline(plain, LIGHT).axes}
