"""The tables that plans are made from, and what was planned. Pure.

A site has a row for each hour of the week in which a server has watched it: what its line carried for us then, and how
many PCs were connected. Weeks that are long past count less (`line_hours.KEPT_A_WEEK`), so these are no whole numbers.
A PC has a number that says in which thirds of days it was seen.
"""

from sqlalchemy import Column, PrimaryKeyConstraint

from seed_server.store.columns import SECONDS, code, count, large_count, octets, of, seconds, table


def _amount(name: str) -> Column[float]:
    return Column(name, SECONDS, nullable=False)


LINE_HOURS = table(
    "line_hours",
    seconds("at"),  # when the newest hour that counts here began
    seconds("watched"),
    _amount("pc_seconds"),  # connected PCs × seconds
    _amount("arrivals"),  # PCs that came after hours without them
    seconds("sending"),
    _amount("sent"),  # bytes of payload
    _amount("squares"),  # of each hour: bytes² ÷ seconds of sending; it tells how one week differs from another
    _amount("times"),  # hours in which we sent
    of("site", "sites"),
    code("hour"),  # of the week in UTC, from Monday 00:00
    PrimaryKeyConstraint("site", "hour"),
)

# when each PC was there, which tells on which days it is
PC_THIRDS = table(
    "pc_thirds",
    large_count("thirds"),  # a bit for each third of a UTC day, the lowest for the newest one
    count("newest"),  # the number of that third since 1970
    of("endpoint", "endpoints"),
    PrimaryKeyConstraint("endpoint"),
)

ROLLOUT_FORECASTS = table(
    "rollout_forecasts",
    seconds("made_at"),
    count("rollout"),  # no foreign key, as it is with its faults
    octets("forecast"),  # as `reporting.plan_kept` encodes it: it is read whole or not at all
    PrimaryKeyConstraint("rollout"),
)
