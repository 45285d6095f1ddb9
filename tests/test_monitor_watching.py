"""What the monitor says of a board that watches by itself: score, alarm, unknown, advice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_client_monitor import BUNDLE, INFO, prediction, text_of
from told_device import identity_of

from tinyol_host.cli.monitor_model import MonitorModel
from tinyol_host.cli.monitor_view import ABOVE
from tinyol_host.events import Log, Notice, NoticeKind
from tinyol_host.link_health import LinkHealth
from tinyol_host.watch_replies import Watch

WELL = Watch(
    at=1000,
    normal_windows=400,
    mean=(-3.912023, -6.0),
    covariance=(0.1, 0.0, 0.1),
    limit=11.2,
    score=0.4,
    alarms=0,
    alarm=False,
    moved=False,
    changed=False,
    unknown=False,
    calibration_steps_left=0,
    calibration_windows_left=0,
    gravity_reference=(0.0, 0.0, 1.0),
    gravity=(0.0, 0.0, 1.0),
    tilt_deg=0.0,
    up=0.0,
    down=0.0,
)


@pytest.fixture
def model() -> MonitorModel:
    """Of a board whose last ten windows are anomalies that no class explains."""
    made = MonitorModel("sim:", identity_of(BUNDLE), LinkHealth())
    for index in range(100):
        strange = index >= 90
        more = {"novelty": 3.5, "unknown": True, "alarm": index >= 93, "predicted": 1}
        made.take(prediction(index, 0.2 if strange else 0.02, **(more if strange else {})))
    made.asked(INFO, ["normal", "stuck"], {"anomaly.detector": 1.0, "anomaly.threshold": 9.0}, WELL)
    return made


def line_of(model: MonitorModel, title: str) -> str:
    return next(line for line in text_of(model).splitlines() if line.startswith(title))


def test_score_alarm_and_unknown_at_a_glance(model: MonitorModel) -> None:
    assert line_of(model, "error").split() == ["error", "0.2", "usually", "0.02"]
    assert line_of(model, "score").split() == ["score", "4", "of", "1", "10%", "above", "ALARM"]
    assert "unknown  3.5 of 1 from stuck  75%" in line_of(model, "class")
    text = text_of(model)
    assert text.count(ABOVE) == 10
    assert "normal 90%, stuck 10%, unknown 10%" in text
    assert "unknown: `tinyol unknown name last NAME`" in text
    assert "threshold" not in text


def test_when_all_is_well_there_is_no_advice(model: MonitorModel) -> None:
    model.take(prediction(100))
    assert "ALARM" not in text_of(model)
    assert model.advice() == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"moved": True, "tilt_deg": 12.2}, "hangs 12 degrees otherwise; `tinyol calibrate`"),
        ({"changed": True}, "`tinyol fine-tune 300`, `tinyol relearn stuck`"),
    ],
)
def test_advice(model: MonitorModel, changed: dict[str, float], says: str) -> None:
    model.asked(INFO, watch=replace(WELL, **changed))
    assert any(says in line for line in model.advice())
    assert says.split(";")[0].split(",")[0] in " ".join(text_of(model, 120).split())


def test_a_calibration_that_goes_on(model: MonitorModel) -> None:
    model.take(prediction(100, score=0.0))
    under_way = replace(WELL, calibration_steps_left=20, calibration_windows_left=178, changed=True)
    model.asked(INFO, watch=under_way)
    assert "20 steps of fine-tuning, then 178 windows left" in line_of(model, "calibrate")
    assert "none while it is calibrated" in line_of(model, "score")
    assert model.advice() == []
    model.asked(INFO, watch=replace(WELL, limit=0.0))
    assert "settling" in line_of(model, "score")


def test_the_paper_s_alarm_shows_its_threshold(model: MonitorModel) -> None:
    model.asked(INFO, settings={"anomaly.detector": 0.0, "anomaly.threshold": 9.0}, watch=WELL)
    assert "threshold 9, 10% above  ALARM" in line_of(model, "error")
    assert not any(line.startswith("score") for line in text_of(model).splitlines())


def test_what_begins_and_ends_is_news_once(model: MonitorModel) -> None:
    began = Notice(NoticeKind.UNKNOWN, True, None, 1, 10, 10, 1, 3.0)
    model.take(began)
    model.take(Log(2, 10, "unknown: no class explains this state; name it to make it one"))
    model.take(replace(began, began=False, windows=37))
    model.take(replace(began, kind=NoticeKind.MOVED, size=6.2))
    assert list(model.news) == [
        "something new",
        "the unknown is over after 37 windows",
        "the sensor was moved by 6 degrees",
    ]
