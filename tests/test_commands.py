"""Commands: as text, as JSON, and what a twin makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_replay import recording, small_bundle

from tinyol_sim.command_lines import command_text, parse_command
from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    Relearn,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
    apply_to_twin,
    from_json,
    to_json,
    undoable,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin

NAMES = st.text(max_size=12).filter(lambda name: name != "-")
COUNTS = st.integers(0, 2**32 - 2)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SPOKEN: st.SearchStrategy[Command] = st.one_of(
    st.builds(AddClass, NAMES),
    st.builds(RenameClass, NAMES, NAMES),
    st.builds(RemoveClass, NAMES),
    st.builds(Label, NAMES, st.none() | COUNTS),
    st.just(Label(None)),
    st.builds(LabelBack, NAMES, st.integers(1, 0xFFFF)),
    st.builds(Relearn, NAMES, st.integers(1, 0xFFFF)),
    st.builds(ClassWeight, NAMES, NUMBERS),
    st.builds(NameUnknown, COUNTS, NAMES),
    st.builds(Calibrate, st.integers(1, 2**32 - 2), COUNTS),
    st.just(Calibrate(0)),
    st.builds(FineTune, st.none() | COUNTS),
    st.builds(SetSetting, NAMES, NUMBERS),
    st.just(Reset()),
    st.just(Undo()),
)


@given(SPOKEN | st.just(Gap()))
def test_json_gives_the_command_back(command: Command) -> None:
    assert from_json(json.loads(json.dumps(to_json(command)))) == command


@given(SPOKEN)
def test_text_gives_the_command_back(command: Command) -> None:
    assert parse_command(command_text(command)) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("label tilted 20", Label("tilted", 20)),
        ("label tilted", Label("tilted")),
        ("label -", Label(None)),
        ('class add "half stuck"', AddClass("half stuck")),
        ("class rename a b", RenameClass("a", "b")),
        ("class remove a", RemoveClass("a")),
        ("label-back normal 5", LabelBack("normal", 5)),
        ("relearn normal 60", Relearn("normal", 60)),
        ("class weight stuck 0.1", ClassWeight("stuck", 0.1)),
        ('name-unknown 3 "half stuck"', NameUnknown(3, "half stuck")),
        ("calibrate 180", Calibrate(180)),
        ("calibrate 180 600", Calibrate(180, 600)),
        ("calibrate off", Calibrate(0)),
        ("fine-tune 300", FineTune(300)),
        ("fine-tune on", FineTune(None)),
        ("fine-tune off", FineTune(0)),
        ("set anomaly.threshold 0.25", SetSetting("anomaly.threshold", 0.25)),
        ("  reset ", Reset()),
        ("undo", Undo()),
    ],
)
def test_lines_mean(text: str, command: Command) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", "begins with one of: class, label"),
        ("lable a", "begins with one of: class, label"),
        ("class", "class add NAME"),
        ("class make a", "class add NAME"),
        ("label", r"label NAME \[WINDOWS\]"),
        ("label - 3", r"label NAME \[WINDOWS\]"),
        ("label a 1.5", r"label NAME \[WINDOWS\]"),
        ("label a -1", r"label NAME \[WINDOWS\]"),
        ("label a 4294967295", r"label NAME \[WINDOWS\]"),
        ("label-back a", "label-back NAME WINDOWS"),
        ("label-back a 0", "label-back NAME WINDOWS"),
        ("label-back a 65536", "label-back NAME WINDOWS"),
        ("relearn a 0", "relearn NAME WINDOWS"),
        ("relearn a", "relearn NAME WINDOWS"),
        ("class weight a", "class weight NAME W"),
        ("class weight a nan", "class weight NAME W"),
        ("name-unknown last b", "name-unknown NUMBER NAME"),
        ("calibrate", r"calibrate WINDOWS \[STEPS\]"),
        ("calibrate 5 on", r"calibrate WINDOWS \[STEPS\]"),
        ("calibrate 5 6 7", r"calibrate WINDOWS \[STEPS\]"),
        ("fine-tune some", "fine-tune STEPS"),
        ("set classifier.l2", "set NAME VALUE"),
        ("set classifier.l2 nan", "set NAME VALUE"),
        ("reset now", "right would be: reset"),
        ('class add "half', "no closing quotation"),
    ],
)
def test_what_is_no_command_is_told_what_would_be(text: str, right: str) -> None:
    with pytest.raises(DeviceError, match=right):
        parse_command(text)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({}, "no command None"),
        ({"do": "explode"}, "there are add_class"),
        ({"do": ["label"]}, "no command"),
        ({"do": "label", "name": "a"}, "needs name, windows"),
        ({"do": "reset", "name": "a"}, "needs none"),
        ({"do": "label", "name": "a", "windows": True}, "windows is True"),
        ({"do": "label", "name": "a", "windows": 1.5}, "windows is 1.5"),
        ({"do": "label_back", "name": None, "windows": 1}, "name is None"),
        ({"do": "set", "name": "classifier.l2", "value": "0"}, "value is '0'"),
        ({"do": "set", "name": "classifier.l2", "value": 10**400}, "finite number"),
        ({"do": "class_weight", "name": "a", "weight": float("nan")}, "finite number"),
        ({"do": "calibrate", "windows": None, "fine_tune_steps": 0}, "windows is None"),
    ],
)
def test_json_of_something_else_is_refused(value: dict[str, Any], match: str) -> None:
    with pytest.raises(DeviceError, match=match):
        from_json(value)


def test_a_twin_does_what_its_methods_do() -> None:
    by_command, by_method = Twin(small_bundle()), Twin(small_bundle())
    samples = recording([("normal", 400)]).samples

    def both(command: Command, method: Any, *arguments: Any) -> None:
        assert apply_to_twin(command, by_command) == method(*arguments)
        assert by_command.state == by_method.state
        by_command.feed(samples)
        by_method.feed(samples)
        assert by_command.state == by_method.state

    both(AddClass("a"), by_method.add_class, "a")
    both(AddClass("b"), by_method.add_class, "b")
    both(RenameClass("b", "c"), by_method.rename_class, "b", "c")
    both(Label("c", 7), by_method.label, "c", 7)
    both(Label("a"), by_method.label, "a")
    both(Label(None), by_method.label, None)
    both(LabelBack("c", 5), by_method.label_back, "c", 5)
    both(Relearn("c", 5), by_method.relearn, "c", 5)
    both(ClassWeight("c", 0.5), by_method.set_class_weight, "c", 0.5)
    both(Calibrate(40, 2), by_method.calibrate, 40, 2)
    both(Calibrate(0), by_method.calibrate, None)
    both(FineTune(3), by_method.fine_tune, 3)
    both(FineTune(None), by_method.fine_tune, None)
    both(SetSetting("classifier.l2", 0.01), by_method.set, "classifier.l2", 0.01)
    both(Gap(), by_method.gap)
    both(RemoveClass("a"), by_method.remove_class, "a")
    assert by_method.counters()["classifier_steps"] > 0
    both(Reset(), by_method.reset)
    by_command.undo()
    by_method.undo()
    both(Label("c", 7), by_method.label, "c", 7)
    assert apply_to_twin(Undo(), by_command) is None
    by_method.undo()
    assert by_command.state == by_method.state


@pytest.mark.parametrize(
    ("command", "taken_back"),
    [
        *((command, True) for command in (
            Label("a"), Label("a", 5), LabelBack("a", 1), Relearn("a", 1), NameUnknown(1, "a"),
            FineTune(5), FineTune(None), Calibrate(30), RemoveClass("a"), Reset(),
        )),
        *((command, False) for command in (
            Label(None), Label("a", 0), FineTune(0), Calibrate(0), AddClass("x"), Gap(),
            RenameClass("a", "b"), ClassWeight("a", 2.0), SetSetting("classifier.l2", 0.5),
        )),
    ],
)  # fmt: skip
def test_what_an_undo_takes_back(command: Command, taken_back: bool) -> None:
    assert undoable(command) == taken_back
    twin = Twin(small_bundle())
    twin.add_class("a")
    twin.set("unknown.windows", 3)
    twin.label("a", 30)
    twin.feed(recording([("normal", 200)]).samples)
    twin.feed(100 * recording([("normal", 50)]).samples)
    label = twin.would_undo()
    apply_to_twin(command, twin)
    assert (twin.would_undo().at != label.at) == taken_back


def test_what_a_twin_refuses_is_an_error_and_changes_nothing() -> None:
    twin = Twin(small_bundle())
    before = twin.state
    refused = (
        Label("x"),
        RemoveClass("x"),
        AddClass(""),
        SetSetting("x", 1.0),
        Relearn("x", 5),
        ClassWeight("x", 1.0),
        NameUnknown(1, "x"),
        Calibrate(2),
        Undo(),
    )
    for command in refused:
        with pytest.raises(DeviceError):
            apply_to_twin(command, twin)
    assert twin.state == before
