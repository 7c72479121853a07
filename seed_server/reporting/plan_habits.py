"""On which days a PC is usually on, from the thirds of days in which it was seen. Pure.

A PC's past is one number of `THIRDS` bits, the lowest for the newest third of a UTC day. A site's day is three thirds,
from its own dawn on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from seed_server.reporting.plan_facts import ASSUMED_COME, Here, PlanGroup
from seed_server.store.plan_rows import THIRD_SECONDS, THIRDS

KNOWN_DAYS = THIRDS // 3 - 1  # whole days before today that are known, whatever the dawn
MISSED = len(ASSUMED_COME)  # so many of its days that a PC has missed in a row are told apart
EXPECTED = 0.5  # a day of the week on which a PC is likelier on than not: that it is not is remarkable
ABSENCE_DAYS = 5  # in a row, and more: a holiday, which says nothing of habits
LEANING_DAYS = 2.0  # weigh as much as what others do
USUAL_ON, USUAL_OFF = 0.95, 0.02  # of days that are a PC's, and of others
_ALL_THIRDS = (1 << THIRDS) - 1
ALIKE = 0.03  # PCs whose chances differ by less are alike
LEANING_PCS = 20.0  # days of PCs weigh as much as the assumption
MOST_LEARNED_FROM = 3_000  # PCs: more tell nothing new


class PcPast(NamedTuple):
    """What is known of when one PC was on."""

    thirds: int
    """A bit for each third of a day in which it was seen, the lowest for ``newest``."""
    newest: int
    """The number of a third since 1970."""
    connected: bool
    enrolled_at: float = 0.0


class _Days(NamedTuple):
    """A PC's days at its site, yesterday first."""

    here: Here
    seen: tuple[bool, ...]
    """As many days as it is known of."""


def habits(pasts: Sequence[PcPast], now: float, dawn: int) -> list[PlanGroup]:
    """Return PCs alike together, each with its chances on the days of the week; ``dawn`` in hours UTC.

    Of PCs of which little is known, the others of ``pasts`` tell.
    """
    if not pasts:
        return []
    today, all_days = _today(now, dawn), [_days(past, now, dawn) for past in pasts]
    common = _common(all_days, today)
    found: Counter[tuple[tuple[float, ...], int, Here]] = Counter()
    reckoned: dict[tuple[bool, ...], tuple[float, ...]] = {}  # many have the same past
    for days in all_days:
        if (chances := reckoned.get(days.seen, ())) == ():
            chances = reckoned[days.seen] = _chances(days.seen, today, common)
        found[chances, _missed(days.seen, today, chances), days.here] += 1
    return [
        PlanGroup(count, chances, missed, here, steady=min(chances) >= EXPECTED)
        for (chances, missed, here), count in sorted(found.items())
    ]


def come_shares(sites: Iterable[tuple[Sequence[PcPast], int]], now: float) -> tuple[float, ...]:
    """Return of PCs the share that comes on a day of theirs, by how many of their days they have missed before it.

    ``sites``: the PCs of each, and its dawn. It is relative to each PC's own chance for that day of the week.
    """
    came, expected = [0.0] * MISSED, [0.0] * MISSED
    left = MOST_LEARNED_FROM
    for pasts, dawn in sites:
        today = _today(now, dawn)
        for past in pasts[:left]:
            seen = _days(past, now, dawn).seen
            chances = _chances(seen, today, (True,) * 7)
            missed = 0
            for back in range(len(seen), 0, -1):  # the oldest day first
                chance = chances[(today - back) % 7]
                if chance < EXPECTED:
                    continue
                expected[missed] += chance
                came[missed] += seen[back - 1]
                missed = 0 if seen[back - 1] else min(MISSED - 1, missed + 1)
        left -= len(pasts)
        if left <= 0:
            break
    return tuple(
        min(1.0, (some + LEANING_PCS * assumed) / (every + LEANING_PCS))
        for some, every, assumed in zip(came, expected, ASSUMED_COME, strict=True)
    )


def _today(now: float, dawn: int) -> int:
    return int((now - dawn * 3_600) // 86_400)


def _days(past: PcPast, now: float, dawn: int) -> _Days:
    first = (_today(now, dawn) * 86_400 + dawn * 3_600) // THIRD_SECONDS  # of today
    known = KNOWN_DAYS if not past.enrolled_at else int(max(0, min(KNOWN_DAYS, (now - past.enrolled_at) // 86_400)))
    today = past.newest - first + 1  # so many thirds, the lowest ones
    if today >= 0:
        earlier, before = past.thirds & ((1 << today) - 1) != 0, past.thirds >> today
    else:
        earlier, before = False, past.thirds << -today & _ALL_THIRDS
    seen = tuple([before >> place & 7 != 0 for place in range(0, 3 * known, 3)])
    return _Days(Here.NOW if past.connected else Here.EARLIER if earlier else Here.NO, seen)


def _common(all_days: Sequence[_Days], today: int) -> tuple[bool, ...]:
    """Return of each day of the week whether most PCs are on."""
    some, every = [0] * 7, [0] * 7
    for days in all_days:
        for back, was in enumerate(days.seen, 1):
            some[(today - back) % 7] += was
            every[(today - back) % 7] += 1
    return tuple(one >= EXPECTED * all_ for one, all_ in zip(some, every, strict=True))


def _chances(seen: Sequence[bool], today: int, common: Sequence[bool]) -> tuple[float, ...]:
    """Return how likely a PC is on, by day of the week.

    Three weeks tell which days are its own; how well it keeps to them, all of these days tell together.
    """
    some, every = [0.0] * 7, [0.0] * 7
    for back, was in _without_absences(seen):
        some[(today - back) % 7] += was
        every[(today - back) % 7] += 1
    own = [one >= EXPECTED * all_ if all_ else usual for one, all_, usual in zip(some, every, common, strict=True)]
    chances = {}
    for mine, usual in ((True, USUAL_ON), (False, USUAL_OFF)):
        came = sum(one for one, is_own in zip(some, own, strict=True) if is_own is mine)
        days = sum(one for one, is_own in zip(every, own, strict=True) if is_own is mine)
        chance = (came + LEANING_DAYS * usual) / (days + LEANING_DAYS)
        chances[mine] = min(1.0, round(chance / ALIKE) * ALIKE)
    return tuple(chances[is_own] for is_own in own)


def _without_absences(seen: Sequence[bool]) -> Iterator[tuple[int, bool]]:
    """Yield each day, as so many days back, but for long absences, and for one that lasts still."""
    gap: list[int] = []
    begun = False
    for back, was in enumerate(seen, 1):
        if not was:
            gap.append(back)
            continue
        if begun and len(gap) < ABSENCE_DAYS:
            yield from ((day, False) for day in gap)
        gap, begun = [], True
        yield back, True
    if begun and len(gap) < ABSENCE_DAYS:
        yield from ((day, False) for day in gap)


def _missed(seen: Sequence[bool], today: int, chances: Sequence[float]) -> int:
    missed = 0
    for back, was in enumerate(seen, 1):
        if was:
            break
        missed += chances[(today - back) % 7] >= EXPECTED
    return min(MISSED - 1, missed)
