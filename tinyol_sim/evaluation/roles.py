"""Which state is what: normal, the place of deployment, the classes that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyol_sim.counted import counted
from tinyol_sim.errors import RecordingError
from tinyol_sim.evaluation.split import Split
from tinyol_sim.evaluation.states import State

NORMAL_NAMES = ("normal", "low_0")  # low_0: the ceiling fan's
CEILING_FAN_CLASSES = ("low_0", "off_0", "low_1")
LEAST_LESSONS = 30
FEWEST_REPORTING = 20  # windows of a state
FEWEST_CALIBRATING = 30  # windows; with fewer the detector does not judge
FEWEST_BEHIND_CALIBRATION = 50  # windows at the place of deployment


@dataclass(frozen=True)
class Plan:
    """What is evaluated on what.

    states holds all classes, normal among them; the place of deployment and what is ignored are
    none. Windows and hops are in samples, lessons and few in windows a class.
    """

    normal: str
    deploy: str | None
    classes: tuple[str, ...]
    states: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    window_len: int = 64
    hop: int = 64
    lessons: int = 300
    few: int = 25
    seeds: int = 5
    draws: int = 3  # choices of the windows that teach, for each seed
    starts: int = 7  # places in the deployment's recording where a calibration begins
    calibrate_s: float = 30.0
    epochs: int = 60
    choose: bool = True

    @property
    def named(self) -> tuple[str, ...]:
        """Every state that is needed."""
        return self.states if self.deploy is None else (*self.states, self.deploy)

    @property
    def others(self) -> tuple[str, ...]:
        """The states that are not normal: the anomalies."""
        return tuple(name for name in self.states if name != self.normal)


def plan_for(
    found: Mapping[str, State],
    *,
    normal: str | None = None,
    deploy: str | None = None,
    classes: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Plan:
    """A plan with each state's role, as a person gave it or as its name suggests.

    Defaults: normal is `normal` or the ceiling fan's low_0; the place of deployment is the one
    state with "deploy" in its name; states with "moving" in their names are ignored too; the
    classes shown are the ceiling fan's low_0, off_0, low_1, else normal and the first two others.

    Raises:
        RecordingError: a name that is not there, or no default for what is normal.
    """
    known = ", ".join(found)
    for name in (normal, deploy, *classes, *ignore):
        if name is not None and name not in found:
            raise RecordingError(f"there is no state {name!r}; there are {known}")
    if normal is None:
        normal = next((name for name in NORMAL_NAMES if name in found), None)
    if normal is None:
        raise RecordingError(f"which state is normal (--normal)? There are {known}")
    if deploy is None:
        places = [name for name in found if "deploy" in name and name not in ignore]
        if len(places) > 1:
            raise RecordingError(
                f"which is the place of deployment (--deploy): {', '.join(places)}?"
            )
        deploy = places[0] if places else None
    if deploy == normal:
        raise RecordingError(f"{normal!r} cannot be both the normal state and the deployment's")
    for name in (normal, deploy, *classes):
        if name in ignore:
            raise RecordingError(f"{name!r} is asked for and cannot be ignored")
    moving = [name for name in found if "moving" in name and name not in (normal, *classes)]
    left_out = tuple(name for name in found if name in (*ignore, *moving) and name != deploy)
    states = tuple(name for name in found if name not in (*left_out, deploy))
    shown = tuple(dict.fromkeys(classes))
    if not shown:
        usual = all(name in states for name in CEILING_FAN_CLASSES) and normal == "low_0"
        others = [name for name in states if name != normal]
        shown = CEILING_FAN_CLASSES if usual else (normal, *others[:2])
    for name in shown:
        if name not in states:
            raise RecordingError(f"{name!r} is no class: it is ignored, or the deployment's")
    if len(shown) < 2 and len(classes):
        raise RecordingError("at least two classes are needed (--classes A,B)")
    if len(states) < 2:
        raise RecordingError(
            f"at least two states are needed, normal and another; there is {', '.join(states)}"
        )
    return Plan(normal, deploy, shown, states, left_out)


def check_enough(plan: Plan, split: Split) -> None:
    """Raises RecordingError where a state has too few windows, and says what would be enough."""
    for name in plan.states:
        teach = len(split.teach[name].windows(plan.window_len, plan.hop))
        report = len(split.report[name].windows(plan.window_len, plan.hop))
        if teach < plan.lessons:
            ways = ["record more"]
            if teach >= LEAST_LESSONS:
                ways.append(f"give --lessons {teach} at most")
            if name != plan.normal:
                ways.append(f"--ignore {name}")
            raise RecordingError(
                f"{name}: too few windows: {teach} to teach with (of {plan.window_len} samples, its"
                f" files {split.teach[name].span}), {counted(plan.lessons, 'lesson')} are wanted;"
                f" {' or '.join(ways)}"
            )
        if report < FEWEST_REPORTING:
            raise RecordingError(
                f"{name}: too few windows: {report} to report on (its {split.report[name].span}),"
                f" at least {FEWEST_REPORTING} are needed"
            )
    if plan.deploy is not None:
        place = [split.report[plan.deploy]] + [split.teach[plan.deploy]] * (not split.apart)
        n = sum(len(part.windows(plan.window_len, plan.hop)) for part in place)
        seconds = sum(part.duration_s for part in place)
        used = n * plan.calibrate_s / seconds
        if used < FEWEST_CALIBRATING:
            raise RecordingError(
                f"{plan.deploy}: too few windows: {used:.0f} in the {plan.calibrate_s:g} s of a"
                f" calibration, at least {FEWEST_CALIBRATING} are needed: give a shorter --hop"
            )
        if n - used < FEWEST_BEHIND_CALIBRATION:
            raise RecordingError(
                f"{plan.deploy}: too few windows: {n} in {seconds:.0f} s, of which"
                f" {plan.calibrate_s:g} s go to the calibration; at least"
                f" {FEWEST_BEHIND_CALIBRATION} must be left: record more, or --ignore it"
            )
