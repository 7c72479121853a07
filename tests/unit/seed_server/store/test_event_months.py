"""`seed_server.store.event_months`: months, their tables, and the words of PCs, on both databases."""

import pytest
from sqlalchemy import func, inspect, select

from seed_server.store.audited_words import FURTHER_TEXTS
from seed_server.store.engines import Engines
from seed_server.store.event_months import (
    MonthPart,
    begin_of,
    event_text_numbers,
    hot_events,
    hot_parts,
    month_after,
    month_of,
    open_part,
)
from seed_server.store.tables_events import CLOSED, EVENT_MONTHS, EVENT_TEXTS, name_of_table

DAY = 86_400


@pytest.mark.parametrize(("month", "months", "after"), [(202611, 1, 202612), (202612, 1, 202701), (202601, -1, 202512),
                                                        (202603, 24, 202803), (202603, -15, 202412)])  # fmt: skip
def test_months_follow_each_other(month: int, months: int, after: int) -> None:
    assert month_after(month, months) == after
    assert month_of(begin_of(month)) == month
    assert month_of(begin_of(month) - 1) == month_after(month, -1)


def test_a_part_of_a_month_has_a_name() -> None:
    assert [MonthPart(202611, part, 0).name for part in (0, 1)] == ["2026-11", "2026-11.1"]
    assert name_of_table(202611, 1) == "events_202611_1"


def test_a_month_has_a_table_as_soon_as_something_happens_in_it(engines: Engines) -> None:
    with engines.writing() as connection:
        assert connection.scalar(select(func.count()).select_from(hot_events(connection, 0))) == 0
        for at in (DAY, 40 * DAY):
            row = {"at": at, "endpoint": 1, "patch": 1, "site": 1, "text": 0, "said": 0}
            connection.execute(open_part(connection, month_of(at)).insert(), row)
        assert open_part(connection, 202501) is open_part(connection, 202501)
        assert {"events_202501_0", "events_202502_0"} <= set(inspect(connection).get_table_names())
        for since, expected in ((0, [DAY, 40 * DAY]), (DAY + 1, [40 * DAY]), (70 * DAY, [])):
            steps = hot_events(connection, since)
            assert list(connection.scalars(select(steps.c.at).order_by(steps.c.at))) == expected
        connection.execute(EVENT_MONTHS.update().where(EVENT_MONTHS.c.month == 202501).values(state=CLOSED))
        assert open_part(connection, 202501).name == "events_202501_1"
        assert [part.name for part in hot_parts(connection)] == ["2025-01", "2025-01.1", "2025-02"]


def test_words_are_kept_once_and_are_not_without_end(engines: Engines) -> None:
    with engines.writing() as connection:
        first = event_text_numbers(connection, ["a", "b", "a"], 202501)
        assert event_text_numbers(connection, ["a"], 202503) == {"a": first["a"]}
        assert event_text_numbers(connection, ["a"], 202502) == {"a": first["a"]}
        many = event_text_numbers(connection, [f"made up {n}" for n in range(5)], 202503, most=3)
        rows = dict(connection.execute(select(EVENT_TEXTS.c.text, EVENT_TEXTS.c.last_month)).all())
        assert rows == {"a": 202503, "b": 202501, "made up 0": 202503, FURTHER_TEXTS: 202503}
        assert len(set(many.values())) == 2
