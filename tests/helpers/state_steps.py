"""All steps of a state table, tried."""

import enum
import itertools
from collections.abc import Iterable
from typing import TypeVar

from bandwidth.core.state_table import StateTable

StateT = TypeVar("StateT", bound=enum.Enum | str)
EventT = TypeVar("EventT", bound=enum.Enum)


def tried_steps(
    table: StateTable[StateT, EventT], states: Iterable[StateT], events: Iterable[EventT]
) -> tuple[dict[tuple[StateT, EventT], StateT], list[str]]:
    """Return the steps that ``table`` takes, and what it says of each of the others."""
    taken: dict[tuple[StateT, EventT], StateT] = {}
    refused: list[str] = []
    for state, event in itertools.product(states, events):
        try:
            taken[state, event] = table.after(state, event)
        except ValueError as error:
            refused.append(str(error))
    return taken, refused
