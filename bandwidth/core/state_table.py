"""State machines as tables: (state, trigger) → state; what is not in the table cannot happen. Pure."""

import enum
from collections.abc import Mapping
from typing import Generic, TypeVar

S = TypeVar("S", bound=enum.Enum | str)
T = TypeVar("T", bound=enum.Enum)


class StateTable(Generic[S, T]):
    """Every allowed step of one kind of thing."""

    def __init__(self, subject: str, first: S, steps: Mapping[tuple[S, T], S]) -> None:
        """``subject`` is what has these states, for messages: "a transfer". It begins in ``first``."""
        self.subject = subject
        self.first = first
        self.steps = steps

    def after(self, state: S, trigger: T) -> S:
        """Return the state that follows. Raises `ValueError` for a step that the table does not have."""
        try:
            return self.steps[state, trigger]
        except KeyError:
            raise ValueError(f"{self.subject} that is {_word(state)!r} cannot take: {trigger.value}") from None

    def as_mermaid(self) -> str:
        """Return the table as a mermaid state diagram, for the documentation."""
        lines = ["stateDiagram-v2", f"    [*] --> {_name(self.first)}"]
        lines += [f"    {_name(state)} --> {_name(to)}: {trigger.value}" for (state, trigger), to in self.steps.items()]
        return "\n".join(lines)


def _word(state: enum.Enum | str) -> str:
    return str(state.value) if isinstance(state, enum.Enum) else state


def _name(state: enum.Enum | str) -> str:
    return _word(state).replace(" ", "_")
