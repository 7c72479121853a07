"""`bandwidth.core.state_table`: steps, refusals and the diagram, over enums and over words."""

import enum

import pytest

from bandwidth.core.state_table import StateTable


class Light(enum.Enum):
    RED = "red"
    BLINKING_RED = "blinking red"


class Press(enum.Enum):
    SHORT = "a short press"
    LONG = "a long press"


LIGHTS = StateTable(
    "a light",
    Light.RED,
    {(Light.RED, Press.LONG): Light.BLINKING_RED, (Light.BLINKING_RED, Press.SHORT): Light.RED},
)
DOORS = StateTable("a door", "open", {("open", Press.SHORT): "shut"})


def test_a_step_of_the_table_is_taken() -> None:
    assert LIGHTS.after(Light.RED, Press.LONG) is Light.BLINKING_RED
    assert DOORS.after("open", Press.SHORT) == "shut"


def test_any_other_step_raises_and_names_state_and_trigger() -> None:
    with pytest.raises(ValueError, match="a light that is 'blinking red' cannot take: a long press"):
        LIGHTS.after(Light.BLINKING_RED, Press.LONG)
    with pytest.raises(ValueError, match="a door that is 'shut' cannot take: a short press"):
        DOORS.after("shut", Press.SHORT)


def test_the_diagram_begins_with_the_first_state_and_has_every_step() -> None:
    assert LIGHTS.as_mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> red",
        "    red --> blinking_red: a long press",
        "    blinking_red --> red: a short press",
    ]
