"""Whether a profile lets anything be sent at all, in the long run. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta

from bandwidth.profiles.model import Profile
from bandwidth.profiles.week import week_of

LATER = timedelta(weeks=26)  # what is still stopped then was not meant to pass by itself
MOST_SITES = 30  # that are looked at: a profile for hundreds says the same of most


def lasting_stops(profile: Profile, today: date) -> Iterator[tuple[str, str]]:
    """Yield each site to whose line nothing is sent in a whole week of half a year from now, and the rule behind it."""
    names: list[str | None] = [site.name for site in profile.sites[:MOST_SITES]]
    for name in names or [None]:
        runs = [run for day in week_of(profile, name, today + LATER).days for run in day.runs if not run.cell.skipped]
        if all(run.cell.stopped for run in runs):
            yield profile.site(name).name, runs[0].cell.rule
