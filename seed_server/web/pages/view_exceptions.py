"""The page *exceptions*: PCs that shall not install something until a day; made, renewed and ended. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.language import tr
from p2pdist.shared.manifest.ring_facts import RING_FACTS
from p2pdist.shared.manifest.staged import MAX_OWNER_CHARS
from seed_server.fleet.exception_operations import MAX_EXCEPTION_DAYS, add_exception, end_exception, end_of_day
from seed_server.fleet.paging import shown_no_more
from seed_server.fleet.rollout_queries import read_exceptions
from seed_server.reporting.pc_words import Tone
from seed_server.store.rollout_records import ExceptionRow
from seed_server.web.api.given import Body, ExpressionText, Given, GivenNumber, OfNumber, OfPatch, ReasonText
from seed_server.web.api.paging import After
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import LIST_ROWS, Asked, Done, Sent, Shown

SOON_SECONDS = 7 * 86_400.0  # before its end an exception says so
MAX_OWNER_TEXT_CHARS = 2_000


class ExceptionsAsked(Given, frozen=True):
    """Which exceptions, and what stands in the form."""

    show: Literal["holding", "all"] = "holding"
    again: GivenNumber = 0
    """The number of one whose values stand in the form, so that it is made once more; 0: none."""
    patch: OfPatch = ""
    who: ExpressionText = ""
    after: After = ""


@dataclass(frozen=True)
class ExceptionLine:
    """A row."""

    row: ExceptionRow
    tone: Tone
    state: str
    holds: bool
    until: float


def show_exceptions(asked: Asked[ExceptionsAsked]) -> Shown:
    """Show a page of exceptions, and the form for another one. Raises `UserError`."""
    given, now = asked.given, asked.now
    found = read_exceptions(asked.context)
    wanted = [row for row in found if given.show == "all" or row.holds(now)]
    again = next((row for row in found if row.number == given.again), None)
    if given.again and again is None:
        raise ApiProblemError("no-such-thing", f"There is no exception {given.again}.")
    rest = _behind(wanted, given.after)
    page = rest[:LIST_ROWS]
    return Shown(
        tr("Exceptions"),
        {
            "given": given,
            "rows": [_line(row, now) for row in page],
            "next": str(page[-1].number) if len(rest) > len(page) else "",
            "again": again,
            "tabs": [
                (tr("Those that hold"), "/exceptions", given.show == "holding"),
                (tr("All of them"), "/exceptions?show=all", given.show == "all"),
            ],
            "filled": {
                "patch": again.patch if again else given.patch,
                "who": again.expression if again else given.who,
                "reason": again.reason if again else "",
                "owner": again.owner if again else "",
            },
            "facts": ", ".join(sorted(RING_FACTS)),
            "most_days": MAX_EXCEPTION_DAYS,
            "most_owner": MAX_OWNER_CHARS,
        },
    )


def _behind(rows: Sequence[ExceptionRow], after: str) -> Sequence[ExceptionRow]:
    if not after:
        return rows
    for place, row in enumerate(rows, 1):
        if str(row.number) == after:
            return rows[place:]
    raise shown_no_more()


def _line(row: ExceptionRow, now: float) -> ExceptionLine:
    if row.ended_at is not None:
        return ExceptionLine(row, "quiet", tr("ended by {who}", who=row.ended_by or "?"), False, row.ended_at)
    if not row.holds(now):
        return ExceptionLine(row, "quiet", tr("over"), False, row.ends_at)
    if row.ends_at - now < SOON_SECONDS:
        return ExceptionLine(row, "open", tr("holds, and ends soon"), True, row.ends_at)
    return ExceptionLine(row, "good", tr("holds"), True, row.ends_at)


# --- forms -------------------------------------------------------------------------------


class NewException(Body, frozen=True):
    """What is held back from whom."""

    until: Annotated[str, Meta(min_length=1, max_length=10)]
    reason: ReasonText
    owner: Annotated[str, Meta(min_length=1, max_length=MAX_OWNER_TEXT_CHARS)]
    patch: OfPatch = ""
    who: ExpressionText = ""
    everybody: bool = False
    """That it is for every PC was meant, where ``who`` is empty."""


def make_exception(sent: Sent[Nothing, NewException]) -> Done:
    """Hold a patch back from PCs. Raises `UserError`, as `add_exception`."""
    body = sent.body
    if not body.who.strip() and not body.everybody:
        raise ApiProblemError("not-acceptable", "Say which PCs, or tick that it is for every PC.")
    row = add_exception(
        sent.context, sent.actor, who=body.who.strip(), until=end_of_day(body.until), reason=body.reason,
        owner=body.owner, patch=body.patch.strip(),
    )  # fmt: skip
    return Done("/exceptions", tr("Exception {number} holds.", number=row.number))


class EndingException(Body, frozen=True):
    """Nothing else is asked for."""


def stop_exception(sent: Sent[OfNumber, EndingException]) -> Done:
    """End an exception before its day. Raises `UserError`, as `end_exception`."""
    row = end_exception(sent.context, sent.actor, sent.given.number)
    return Done("/exceptions", tr("Exception {number} has ended.", number=row.number))
