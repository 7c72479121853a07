"""`seed_server.reporting.line_history` and `line_documents`: what a line did, step by step."""

from typing import Any

import pytest

from bandwidth.core.states import Reason
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.reporting.line_documents import history_document
from seed_server.reporting.line_history import MOST_HOURS, MOST_POINTS, WEEK_HOURS, read_line_history, stretches
from seed_server.store.minute_rows import SLOT_SECONDS, LineSlot, WatchedSlot, slot_of
from tests.helpers.rollout_company import BEGIN, Company

NOW = BEGIN + 10 * 86_400.0
LAST = slot_of(NOW)
CEILING, QUEUE = Reason.CEILING.value, Reason.QUEUE.value


def slot(back: int, cause: str = CEILING, **others: float) -> LineSlot:
    """Return ten minutes so many slots ago."""
    values: dict[str, Any] = {
        "active": 300.0,
        "sent": 6_000,
        "allowed": 300.0 * 50,
        "cause": cause,
        "cause_seconds": 250.0,
    } | others
    return LineSlot("osaka", LAST - back, **values)


def watch(company: Company, backs: range, rows: list[LineSlot]) -> None:
    company.clock.wall = NOW
    company.database.add_line_minutes(rows, [WatchedSlot(LAST - back, 1, 600.0) for back in backs])


def test_each_step_has_what_was_seen_and_what_is_not_known_is_no_zero(company: Company) -> None:
    watch(company, range(1, 4), [slot(2, business=500, business_seconds=10.0, harm_seconds=2.0, queue=0.01)])
    history = read_line_history(company.context, "osaka")
    assert (len(history.points), history.step_seconds) == (144, SLOT_SECONDS)
    unknown, quiet, busy = history.points[-5], history.points[-2], history.points[-3]
    assert (unknown.known, unknown.rate, unknown.limit) == (False, None, None)
    assert (quiet.known, quiet.rate, quiet.limit, quiet.business_rate) == (True, 0.0, None, None)
    assert (busy.rate, busy.limit, busy.business_rate) == (10.0, 50.0, 50.0)
    assert (history.sent, history.harm_seconds, history.known_seconds) == (6_000, 2.0, 1_800.0)
    document = history_document(history)
    assert document.steps[-3].queue_p95_seconds == 0.01
    assert document.steps[-5].sent_bytes_per_second is None
    assert (document.steps[-3].reason, document.step_seconds, document.capacity_bytes_per_second) == (
        CEILING, SLOT_SECONDS, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "step", "points"),
    [(1, 600, 6), (24, 600, 144), (33, 600, 198), (WEEK_HOURS, 3_600, 168), (MOST_HOURS, 86_400, 90)],
)
def test_steps_are_as_long_as_a_chart_can_show(company: Company, hours: int, step: int, points: int) -> None:
    company.clock.wall = NOW
    history = read_line_history(company.context, "osaka", hours)
    assert (history.step_seconds, len(history.points)) == (step, points)
    assert len(history.points) <= MOST_POINTS
    assert history.points[-1].at <= NOW < history.points[-1].at + step


def test_ten_minutes_and_hours_are_added_up_to_steps(company: Company) -> None:
    watch(company, range(1, 13), [slot(1), slot(2, QUEUE, cause_seconds=300.0)])
    hour = next(p for p in reversed(read_line_history(company.context, "osaka", WEEK_HOURS).points) if p.seen.sent)
    assert (hour.seen.sent, hour.seen.cause, hour.watched_seconds) == (12_000, QUEUE, 3_600.0)


@pytest.mark.parametrize("hours", [0, MOST_HOURS + 1])
def test_no_more_is_asked_than_is_kept(company: Company, hours: int) -> None:
    with pytest.raises(UserError, match="90 days") as caught:
        read_line_history(company.context, "osaka", hours)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_site_that_is_not_known_is_an_error(company: Company) -> None:
    with pytest.raises(UserError, match="No site 'osako' is known. Did you mean 'osaka'"):
        read_line_history(company.context, "osako")


def test_the_same_cause_without_another_between_is_one_stretch(company: Company) -> None:
    rows = [slot(6), slot(5), slot(4, QUEUE), slot(2), slot(1, allowed=300.0 * 150)]
    watch(company, range(1, 13), rows)
    history = read_line_history(company.context, "osaka")
    newest, queue, oldest = stretches(history, 20)
    assert (newest.cause, newest.begin, newest.end) == (CEILING, (LAST - 2) * 600.0, LAST * 600.0)
    assert (newest.seconds, newest.limit) == (500.0, 100.0)
    assert (queue.cause, queue.end - queue.begin) == (QUEUE, 600.0)
    assert (oldest.cause, oldest.end - oldest.begin) == (CEILING, 1_200.0)
    assert [one.cause for one in stretches(history, 2)] == [CEILING, QUEUE]
