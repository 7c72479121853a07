"""The precedence of the kinds of rules: the one table that the code follows and the documentation shows. Pure."""

import enum
from dataclasses import dataclass


class RuleKind(enum.StrEnum):
    """Kinds of rules, the one with the highest precedence first."""

    EMERGENCY_STOP = "emergency stop"
    BLACKOUT = "blackout"
    WINDOW = "window"
    ABSOLUTE_CAP = "absolute cap"
    PERCENT_OF_LINE = "percent of line"
    PERCENT_OF_SPARE = "percent of spare"
    ADAPTIVE = "adaptive"


class Lifting(enum.StrEnum):
    """Which boost lifts a rule."""

    NEVER = "no boost"
    FORCED = "a boost with `force = true`"
    ANY = "any boost"


class Measure(enum.StrEnum):
    """What a rule's limit is computed from."""

    NOTHING = "no traffic"
    CAP = "cap"
    LINE = "percent of line"
    SPARE = "percent of spare"
    CONTROLLER = "what the line gives"
    BOOST = "the boost's rate"


LIFTED_BY = {
    Measure.NOTHING: Lifting.NEVER,
    Measure.CAP: Lifting.FORCED,
    Measure.LINE: Lifting.FORCED,
    Measure.SPARE: Lifting.ANY,
    Measure.CONTROLLER: Lifting.ANY,
    Measure.BOOST: Lifting.NEVER,
}


@dataclass(frozen=True, slots=True)
class PrecedenceRow:
    """One row of the table."""

    kind: RuleKind
    written_as: str
    limit: str
    measures: tuple[Measure, ...]


PRECEDENCE = (
    PrecedenceRow(RuleKind.EMERGENCY_STOP, "`[[stop]]`", "0", (Measure.NOTHING,)),
    PrecedenceRow(RuleKind.BLACKOUT, "`[[blackout]]`", "0", (Measure.NOTHING,)),
    PrecedenceRow(
        RuleKind.WINDOW,
        "`[[window]]`",
        "the least of its `cap`, `percent_of_line` and `percent_of_spare`",
        (Measure.CAP, Measure.LINE, Measure.SPARE),
    ),
    PrecedenceRow(RuleKind.ABSOLUTE_CAP, "`cap` in `[[limit]]`", "the cap", (Measure.CAP,)),
    PrecedenceRow(
        RuleKind.PERCENT_OF_LINE, "`percent_of_line` in `[[limit]]`", "that share of the line", (Measure.LINE,)
    ),
    PrecedenceRow(
        RuleKind.PERCENT_OF_SPARE,
        "`percent_of_spare` in `[[limit]]`",
        "that share of what business leaves",
        (Measure.SPARE,),
    ),
    PrecedenceRow(
        RuleKind.ADAPTIVE,
        "nothing; always on",
        "none by itself: the controller sends what the line gives",
        (Measure.CONTROLLER,),
    ),
)
RANK = {row.kind: rank for rank, row in enumerate(PRECEDENCE)}


def precedence_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| | rule | written as | its limit | lifted by |", "|---|---|---|---|---|"]
    for rank, row in enumerate(PRECEDENCE, 1):
        lines.append(f"| {rank} | {row.kind} | {row.written_as} | {row.limit} | {_lifted_by(row)} |")
    return "\n".join(lines) + "\n"


def _lifted_by(row: PrecedenceRow) -> str:
    usual = LIFTED_BY[row.measures[0]]
    others = [f"its {measure}: {LIFTED_BY[measure]}" for measure in row.measures if LIFTED_BY[measure] != usual]
    return "; ".join([usual, *others])
