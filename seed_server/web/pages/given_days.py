"""Days as parameters of pages: in this machine's zone, as pages show times."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from seed_server.web.api.problems import ApiProblemError

FIRST_DAY, LAST_DAY = "1970-01-03", "2096-10-01"  # within what `UnixMoment` can be, in every zone

Day = Annotated[str, Meta(pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?\\Z", description="A day: 2026-11-29.")]


def midnight(day: str, *, later: int = 0) -> float:
    """Return when a day begins, or one that is so many days ``later``. Raises `ApiProblemError` for what is no day."""
    try:
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValueError("no clock shows that day")
        begins = dt.datetime.combine(dt.date.fromisoformat(day) + dt.timedelta(days=later), dt.time())
        return begins.astimezone().timestamp()
    except (ValueError, OverflowError) as error:
        raise ApiProblemError("not-acceptable", f"{day} is no day of the calendar, from {FIRST_DAY} on.") from error
