"""What a look at this PC finds: yes, no, or not known; and whether two looks have seen a change. Pure."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


class Whether(enum.Enum):
    """The answer to a question about this PC. What could not be asked is neither yes nor no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class CheckResult:
    """What a check has found, in words."""

    finding: Whether
    words: str
    seen: str = field(default="", compare=False)
    """What was seen, to compare two looks by; empty: nothing could be seen."""
    late: bool = field(default=False, compare=False)
    """Whether there is no answer because there was none in time."""

    @property
    def holds(self) -> bool:
        """Whether the check certainly holds."""
        return self.finding is Whether.YES


def found(holds: bool, words: str, seen: str | None = None) -> CheckResult:
    """Return a certain answer; by default what was seen is what the words say."""
    return CheckResult(Whether.YES if holds else Whether.NO, words, words if seen is None else seen)


def unknown(words: str, seen: str = "", *, late: bool = False) -> CheckResult:
    """Return that there is no answer, and why. ``seen``: what is known all the same, such as that a program is gone."""
    return CheckResult(Whether.UNKNOWN, words, seen, late)


def together(answers: Iterable[CheckResult]) -> CheckResult:
    """Return whether all hold: the first that does not, else the first that is not known, else all of them."""
    every = list(answers)
    for finding in (Whether.NO, Whether.UNKNOWN):
        for answer in every:
            if answer.finding is finding:
                return answer
    return found(True, "; ".join(answer.words for answer in every))


@dataclass(frozen=True)
class Look:
    """One look at everything by which a patch is detected."""

    answer: CheckResult
    sight: dict[str, str] = field(default_factory=dict)
    """What was looked at → what was seen there; what could not be seen is not in it."""


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Return whether something is seen to be different: only what both looks could see tells that."""
    return any(after[what] != seen for what, seen in before.items() if what in after)
