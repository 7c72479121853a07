"""What this PC's commands ask its daemon, and what it answers: a type for each question, order and answer. Pure.

The answers are what ``--json`` prints: keys may be added, none changes or goes. Times are seconds since 1970, UTC;
rates are bytes per second; counts are payload bytes. Texts are for people, and change; programs go by states and
numbers. The daemon refuses a question with an unknown key; a command ignores an unknown key of an answer.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec

from p2pdist.local_api.delivery_answers import LimiterAnswer, PeersAnswer, StatusAnswer, WhyAnswer
from p2pdist.local_api.doctor_answers import DoctorAnswer
from p2pdist.local_api.install_answers import (
    Accepted,
    Deferred,
    HistoryAnswer,
    NoticesAnswer,
    PlanAnswer,
    PostureAnswer,
)
from p2pdist.local_api.server_answers import ServerAnswer, ServerOrder
from p2pdist.shared.errors import FaultKind
from p2pdist.shared.json_units import Seconds
from p2pdist.shared.wire.codec import Record

MAX_DEFERRAL_DAYS = 30  # the same limit as in a recipe

MAX_CHALLENGE_CHARS = 128  # of a nonce or an audience: 512 bits in hexadecimal, or a host name
CHALLENGE_PATTERN = r"[!-~]*\Z"  # printable ASCII without a blank: it is printed, and given on command lines

Challenge: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_CHALLENGE_CHARS, pattern=rf"^{CHALLENGE_PATTERN}")]
"""A nonce, or the name of whom a statement is for; empty: none."""

QuestionT = TypeVar("QuestionT", bound=Record)
AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)


class Question(Record, frozen=True):
    """A question without arguments: it asks for everything."""


class PostureQuestion(Record, frozen=True, omit_defaults=True):
    """Ask for a signed statement."""

    nonce: Challenge = ""
    """What the statement has to carry, so that it answers this question alone; empty: nothing."""
    audience: Challenge = ""
    """Whom it is for; empty: for everybody."""


class DeferOrder(Record, frozen=True, omit_defaults=True):
    """Put a patch off."""

    patch: str
    """An id, or ID@VERSION."""
    seconds: Seconds | None = None
    """For how long; null: as long as is allowed."""
    end: bool = False
    """Whether to end the deferral that lasts instead."""


class PatchOrder(Record, frozen=True):
    """Roll a patch back, or try it again."""

    patch: str
    """An id, or ID@VERSION."""


class Refusal(Record, frozen=True):
    """The daemon does not do what it was asked."""

    refused: str
    """Why, in words."""
    kind: FaultKind
    """Why, for programs."""


class NotUnderstood(Record, frozen=True):
    """The daemon does not know the command."""

    error: str
    """Which, in words."""


class Enrolled(msgspec.Struct, frozen=True):
    """The identity of this PC for its seed server. Not an answer of the daemon: that does not run yet."""

    endpoint_id: str
    """This PC's id from now on: 26 characters, derived from its key."""
    server: str
    """The seed server's name."""


@dataclass(frozen=True, slots=True)
class Command(Generic[QuestionT, AnswerT]):
    """One command of the daemon: its name, the type of its question and that of its answer."""

    name: str
    question: type[QuestionT]
    answer: type[AnswerT]
    for_users: bool = False
    """Whether this PC's users may give it, as far as `rights` lets them; else root alone."""


STATUS = Command("status", Question, StatusAnswer, for_users=True)
PEERS = Command("peers", Question, PeersAnswer)
LIMITER = Command("limiter", Question, LimiterAnswer)
WHY = Command("why", Question, WhyAnswer, for_users=True)
PLAN = Command("plan", Question, PlanAnswer, for_users=True)
HISTORY = Command("history", Question, HistoryAnswer)
POSTURE = Command("posture", PostureQuestion, PostureAnswer)
NOTICES = Command("notices", Question, NoticesAnswer, for_users=True)
DEFER = Command("defer", DeferOrder, Deferred, for_users=True)
ROLLBACK = Command("rollback", PatchOrder, Accepted)
RETRY = Command("retry", PatchOrder, Accepted)
SERVER = Command("server", Question, ServerAnswer)
SET_SERVER = Command("set-server", ServerOrder, ServerAnswer)

COMMANDS: tuple[Command[Any, Any], ...] = (
    STATUS, PEERS, LIMITER, WHY, PLAN, HISTORY, POSTURE, NOTICES, DEFER, ROLLBACK, RETRY, SERVER,
    SET_SERVER,
)  # fmt: skip

ANSWERS: dict[str, type[msgspec.Struct]] = {
    "enrol": Enrolled,
    "doctor": DoctorAnswer,
    **{command.name: command.answer for command in COMMANDS if command not in (NOTICES, SET_SERVER)},
    "server set": SET_SERVER.answer,
}
"""What ``p2pdist COMMAND --json`` prints."""
