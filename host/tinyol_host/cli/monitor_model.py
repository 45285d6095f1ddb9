"""What a monitor knows of a board: events and replies folded into what is shown."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyol_host.cli.pace import Pace
from tinyol_host.events import Changed, Event, Log, Lost, Notice, NoticeKind, Prediction
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Identity, Info
from tinyol_host.watch_replies import Watch
from tinyol_sim.counted import counted

THRESHOLD, DETECTOR = "anomaly.threshold", "anomaly.detector"
KEPT_WINDOWS = 400  # as wide as any terminal
RECENT_WINDOWS = 100  # that shares of classes are of
_KEPT_LINES = 3
_LEVELS = {1: "information", 2: "warning", 3: "error"}
_TOLD_BY_NOTICES = ("alarm", "unknown", "moved", "changed")
NOTICES = {
    NoticeKind.ALARM: ("alarm", "the alarm is over"),
    NoticeKind.UNKNOWN: ("something new", "the unknown is over"),
    NoticeKind.MOVED: ("the sensor was moved", "the sensor hangs as before"),
    NoticeKind.CHANGED: ("the machine has changed", ""),
    NoticeKind.CALIBRATED: ("", "calibrated"),
}


@dataclass
class MonitorModel:
    """Everything that the picture is drawn from; no clock and no device in it.

    Tell it events by take(), and by asked() what the board says of itself when asked.
    """

    device: str
    identity: Identity
    health: LinkHealth
    predictions: deque[Prediction] = field(default_factory=lambda: deque(maxlen=KEPT_WINDOWS))
    seen: int = 0  # predictions since the monitor began
    pace: Pace = field(default_factory=Pace)
    info: Info | None = None
    classes: list[str] = field(default_factory=list)
    watch: Watch | None = None
    threshold: float | None = None  # of the error, where the alarm is the paper's
    two_sided: bool = False  # the alarm goes by the distance from normal
    news: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    stale: bool = True  # classes and settings are to be asked for

    def take(self, event: Event) -> None:
        """One event after the other."""
        if isinstance(event, Prediction):
            self.predictions.append(event)
            self.seen += 1
        elif isinstance(event, Log):
            if event.text.partition(":")[0] in _TOLD_BY_NOTICES:
                return
            self.news.append(f"{_LEVELS.get(event.level, 'note')}: {event.text}")
        elif isinstance(event, Notice):
            self.news.append(notice_text(event))
        elif isinstance(event, Changed):
            self.stale = True
            if not event.own:
                self.news.append(f"another host: {_opcode_name(event.opcode)}")
        elif isinstance(event, Lost):
            self.stale = True  # a change may be among them

    def asked(
        self,
        info: Info,
        classes: Sequence[str] | None = None,
        settings: Mapping[str, float] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """What the board answered; None where it was not asked."""
        self.info = info
        if classes is not None:
            self.classes = list(classes)
        if watch is not None:
            self.watch = watch
        if settings is not None:
            self.two_sided = bool(settings.get(DETECTOR, 0.0))
            self.threshold = None if self.two_sided else settings.get(THRESHOLD)
        if len(self.classes) != info.n_classes:
            self.stale = True

    @property
    def last(self) -> Prediction | None:
        """The newest prediction."""
        return self.predictions[-1] if self.predictions else None

    @property
    def expected_per_s(self) -> float:
        """Windows a second of a board that gets its samples at the model's rate."""
        return self.identity.rate_hz / self.identity.hop

    def class_name(self, index: int | None) -> str | None:
        """The name of a class; a number if it is not known yet; None for none."""
        if index is None or index < 0:
            return None
        return self.classes[index] if index < len(self.classes) else f"class {index}"

    def recent(self) -> list[Prediction]:
        """The last 100 windows at most."""
        return list(self.predictions)[-RECENT_WINDOWS:]

    def recent_shares(self) -> list[tuple[str, float]]:
        """Classes predicted for the last 100 windows, the most frequent first."""
        recent = self.recent()
        counts = Counter(self.class_name(window.predicted) for window in recent)
        return [(name or "none", count / len(recent)) for name, count in counts.most_common()]

    def recent_anomalies(self) -> float:
        """Share of the last 100 windows that are anomalies."""
        recent = self.recent()
        return sum(window.anomaly for window in recent) / max(1, len(recent))

    def recent_unknown(self) -> float:
        """Share of the last 100 windows that no class explains."""
        recent = self.recent()
        return sum(window.unknown for window in recent) / max(1, len(recent))

    def advice(self) -> list[str]:
        """What a person could do now, a line each."""
        watch = self.watch
        if watch is None or watch.calibration_windows_left:
            return []
        lines = []
        if watch.moved:
            lines.append(
                f"moved: the sensor hangs {watch.tilt_deg:.0f} degrees otherwise; `tinyol"
                " calibrate` where it is to stay"
            )
        if watch.changed:
            name = None if self.last is None else self.class_name(self.last.predicted)
            relearn = f", `tinyol relearn {name}`" if name else ""
            lines.append(
                f"changed: the machine's error has shifted; `tinyol fine-tune 300`{relearn}, or"
                " `tinyol calibrate`, if it is well"
            )
        if self.last is not None and self.last.unknown:
            lines.append("unknown: `tinyol unknown name last NAME` makes a class of it")
        return lines


def notice_text(notice: Notice) -> str:
    """What began or ended, in a few words."""
    text = NOTICES[notice.kind][0 if notice.began else 1]
    if notice.kind == NoticeKind.MOVED and notice.began:
        text += f" by {notice.size:.0f} degrees"
    elif not notice.began and notice.kind in (NoticeKind.ALARM, NoticeKind.UNKNOWN):
        text += f" after {counted(notice.windows, 'window')}"
    return text


def _opcode_name(opcode: int) -> str:
    try:
        return Opcode(opcode).name.lower().replace("_", " ")
    except ValueError:
        return f"request {opcode}"
