"""`seed_server.web.pages.given_days`: days as parameters of pages."""

import datetime as dt

import msgspec
import pytest

from seed_server.web.api.problems import ApiProblemError
from seed_server.web.pages.given_days import FIRST_DAY, LAST_DAY, Day, midnight


def test_a_day_begins_and_ends_by_this_machines_clock() -> None:
    for day, later, begins in (("2026-11-29", 0, "2026-11-29T00:00:00"), ("2026-12-31", 1, "2027-01-01T00:00:00")):
        moment = dt.datetime.fromtimestamp(midnight(day, later=later), dt.UTC).astimezone()
        assert moment.replace(tzinfo=None).isoformat() == begins


def test_the_first_and_the_last_day_are_days_and_those_around_them_are_not() -> None:
    assert 0 < midnight(FIRST_DAY) < midnight(LAST_DAY, later=1) < 4e9
    for day in ("1970-01-02", "2096-10-02", "2026-02-30", "2026-13-01"):
        with pytest.raises(ApiProblemError, match="is no day of the calendar"):
            midnight(day)


@pytest.mark.parametrize("text", ["2026-1-1", "20261129", "2026-11-29\n", "２０２６-11-29", "x"])
def test_what_is_no_day_is_no_parameter(text: str) -> None:
    assert msgspec.convert("2026-11-29", Day) == "2026-11-29"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Day)
