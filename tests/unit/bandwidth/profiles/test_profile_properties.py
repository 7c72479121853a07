"""What holds for every profile: the limit is a minimum, monotone, never negative, and blackouts win."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.civil_time import instants_of, is_skipped
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles import model as m
from bandwidth.profiles.parse import TABLE_KEYS, TOP_KEYS, ProfileError, parse_profile
from bandwidth.profiles.precedence import RANK, Measure, RuleKind
from bandwidth.profiles.resolve import Backlog, EffectiveLimit, effective_limit
from bandwidth.profiles.week import looks_per_week, strictness, week_of
from tests.helpers.profile_toml import exact_rate_text, to_toml

T = TypeVar("T")
SITES, GROUPS = ("a", "b", 'the "third" \\ site'), ("north", "south")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
RATES = st.integers(1, 10**9).map(BytesPerSecond)
PERCENTS = st.integers(1, 10_000).map(lambda hundredths: hundredths / 100)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
DAYS = st.sets(st.sampled_from(m.Day), min_size=1).map(frozenset)
DATES = st.dates(date(2026, 1, 1), date(2027, 12, 31))
OFFSETS = st.one_of(st.none(), st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))))
START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.builds(
    lambda seconds, zone: (START + timedelta(seconds=seconds)).replace(tzinfo=zone),
    st.integers(0, 2 * 365 * 86_400),
    OFFSETS,
)
INSTANTS = st.integers(0, 2 * 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))


def scopes(legs: tuple[m.Leg, ...] = (m.Leg.LINE,), *, networks: bool = True) -> st.SearchStrategy[m.Scope]:
    kinds = st.just(()) | st.sampled_from(m.NetworkKind).map(lambda kind: (kind,)) if networks else st.just(())
    sites, groups = st.just(()) | st.just(SITES[:1]) | st.just(SITES[1:]), st.just(()) | st.just(GROUPS[:1])
    return st.builds(m.Scope, sites, groups, kinds, st.just(legs))


@st.composite
def whens(draw: st.DrawFn) -> m.CivilTime:
    start, end = draw(st.lists(st.integers(0, 1439), min_size=2, max_size=2, unique=True))
    first, last = sorted(draw(st.tuples(DATES, DATES)))
    return m.CivilTime(
        draw(DAYS), start, end, draw(st.sampled_from([None, first])), draw(st.sampled_from([None, last]))
    )


MAYBE_RATES = st.none() | RATES
LIMITS = st.builds(
    m.Limits,
    MAYBE_RATES,
    st.none() | PERCENTS,
    st.none() | PERCENTS,
    MAYBE_RATES,
    st.none() | st.sampled_from(m.Sensitivity),
).filter(lambda limits: limits != m.Limits())
NO_NETWORKS = scopes(networks=False)
YEARLY = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda day: m.YearlyDate(day.month, day.day))
SITE_LISTS = st.tuples(MAYBE_RATES, st.none() | ZONES).map(
    lambda pair: (
        m.ProfileSite(SITES[0], GROUPS, pair[1], pair[0]),
        m.ProfileSite(SITES[1]),
        m.ProfileSite(SITES[2], GROUPS[1:]),
    )
)


def few(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


EVERYWHERE = tuple(m.Leg)
PROFILES = st.builds(
    m.Profile,
    name=NAMES,
    time_zone=ZONES,
    description=st.just("") | NAMES,
    line=MAYBE_RATES,
    sites=SITE_LISTS,
    stops=few(st.builds(m.Stop, NAMES, scopes(EVERYWHERE), st.none(), st.none() | MOMENTS)),
    blackouts=few(st.builds(m.Blackout, NAMES, scopes(EVERYWHERE), whens())),
    windows=few(st.builds(m.Window, NAMES, LIMITS, whens(), scopes())),
    limits=few(st.builds(m.Limit, NAMES, LIMITS, scopes())),
    business_hours=st.builds(m.BusinessHours, NAMES, whens(), NO_NETWORKS).map(lambda hours: (hours,)),
    holidays=few(st.builds(m.Holiday, NAMES, DATES | YEARLY, NO_NETWORKS)),
    deadlines=few(st.builds(m.Deadline, NAMES, MOMENTS, NO_NETWORKS)),
    boosts=few(st.builds(m.Boost, NAMES, MOMENTS, RATES, st.none(), st.booleans(), NO_NETWORKS)),
)
QUIET = PROFILES.map(lambda profile: replace(profile, stops=(), blackouts=(), boosts=()))
PLACES = st.sampled_from([*SITES, None])
BACKLOGS = st.none() | st.builds(Backlog, st.integers(0, 10**12), st.none() | INSTANTS)


def resolve(profile: m.Profile, site: str | None, at: datetime, backlog: Backlog | None = None) -> EffectiveLimit:
    return effective_limit(
        profile, site, at, line=BytesPerSecond(2_500_000), spare=BytesPerSecond(1_000_000), backlog=backlog
    )


def size(rate: int | None) -> float:
    return float("inf") if rate is None else rate


@given(PROFILES)
def test_a_profile_survives_the_way_through_toml(profile: m.Profile) -> None:
    assert parse_profile(to_toml(profile), source="p") == profile


@given(RATES)
def test_a_rate_survives_the_way_through_text(rate: BytesPerSecond) -> None:
    assert parse_profile(f'name = "p"\ntime_zone = "UTC"\nline = "{exact_rate_text(rate)}"', source="p").line == rate


@given(PROFILES, PLACES, INSTANTS, BACKLOGS)
def test_the_limit_is_the_least_of_those_in_force_and_never_negative(
    profile: m.Profile, site: str | None, at: datetime, backlog: Backlog | None
) -> None:
    found = resolve(profile, site, at, backlog)
    counting = [rule for rule in found.considered if rule.counts]
    assert size(found.rate) == min(size(rule.limit) for rule in counting)
    assert found.rule in counting
    ties = [RANK[rule.kind] for rule in counting if rule.limit == found.rate]
    assert RANK[found.rule.kind] == min(ties)
    assert 0 <= found.floor <= size(found.rate)
    assert found.floor_reason
    assert [RANK[rule.kind] for rule in found.considered] == sorted(RANK[rule.kind] for rule in found.considered)


@given(PROFILES, PLACES, INSTANTS, BACKLOGS, st.sampled_from(["stop", "blackout"]))
def test_a_blackout_wins_over_everything(
    profile: m.Profile, site: str | None, at: datetime, backlog: Backlog | None, which: str
) -> None:
    if which == "stop":
        profile = replace(profile, stops=(*profile.stops, m.Stop("now")))
    else:
        profile = replace(profile, blackouts=(*profile.blackouts, m.Blackout("now")))
    found = resolve(profile, site, at, backlog)
    assert (found.rate, found.floor, found.blackout, found.boost) == (0, 0, True, False)
    assert found.rule.kind in {RuleKind.EMERGENCY_STOP, RuleKind.BLACKOUT}


@given(PROFILES, PLACES, INSTANTS, st.builds(m.Limit, NAMES, LIMITS) | st.builds(m.Window, NAMES, LIMITS, whens()))
def test_one_more_rule_never_permits_more(
    profile: m.Profile, site: str | None, at: datetime, rule: m.Limit | m.Window
) -> None:
    before = resolve(profile, site, at)
    if isinstance(rule, m.Limit):
        profile = replace(profile, limits=(*profile.limits, rule))
    else:
        profile = replace(profile, windows=(*profile.windows, rule))
    assert size(resolve(profile, site, at).rate) <= size(before.rate)


@given(PROFILES, PLACES, INSTANTS, RATES, RATES)
def test_a_larger_cap_never_permits_less(
    profile: m.Profile, site: str | None, at: datetime, one: BytesPerSecond, other: BytesPerSecond
) -> None:
    def rate(cap: BytesPerSecond) -> float:
        limits = (*profile.limits, m.Limit("cap", m.Limits(cap=cap)))
        return size(resolve(replace(profile, limits=limits), site, at).rate)

    assert rate(BytesPerSecond(min(one, other))) <= rate(BytesPerSecond(max(one, other)))


@given(QUIET, PLACES, INSTANTS, RATES, RATES)
def test_a_faster_line_and_more_spare_never_permit_less(
    profile: m.Profile, site: str | None, at: datetime, one: BytesPerSecond, other: BytesPerSecond
) -> None:
    less, more = (BytesPerSecond(rate) for rate in sorted((one, other)))
    assert size(effective_limit(profile, site, at, line=less, spare=less).rate) <= size(
        effective_limit(profile, site, at, line=more, spare=more).rate
    )


@given(PROFILES, PLACES, INSTANTS)
def test_a_boost_without_force_never_goes_over_a_cap(profile: m.Profile, site: str | None, at: datetime) -> None:
    profile = replace(profile, boosts=tuple(replace(boost, force=False) for boost in profile.boosts))
    plain = resolve(replace(profile, boosts=()), site, at)
    caps = [
        size(rule.limit) for rule in plain.considered if rule.counts and rule.measure in {Measure.CAP, Measure.LINE}
    ]
    assert size(resolve(profile, site, at).rate) <= min(caps, default=float("inf"))


@given(PROFILES, PLACES, INSTANTS, BACKLOGS)
def test_the_rules_of_other_sites_make_no_difference(
    profile: m.Profile, site: str | None, at: datetime, backlog: Backlog | None
) -> None:
    whole, own = resolve(profile, site, at, backlog), resolve(profile.for_site(site), site, at, backlog)
    assert replace(own, considered=()) == replace(whole, considered=())
    assert [rule for rule in whole.considered if rule.counts] == [rule for rule in own.considered if rule.counts]


@given(PROFILES, PLACES)
def test_every_boost_ends(profile: m.Profile, site: str | None) -> None:
    assert not resolve(profile, site, datetime(2028, 6, 1, tzinfo=UTC)).boost


def lines_with_a_key(text: str) -> list[tuple[int, str, str]]:
    """Return (line from 1, key, value) of each ``key = value``."""
    pairs = ((number, *line.partition(" = ")) for number, line in enumerate(text.splitlines(), 1))
    return [(number, key, value) for number, key, equals, value in pairs if equals]


@given(PROFILES, st.data())
def test_a_misspelt_key_is_told_with_its_line_and_a_known_key(profile: m.Profile, data: st.DataObject) -> None:
    text = to_toml(profile)
    number, key, value = data.draw(st.sampled_from(lines_with_a_key(text)))
    wrong = data.draw(st.sampled_from([key + "x", key[:-1] + "_", "x" + key]))
    lines = text.splitlines()
    lines[number - 1] = f"{wrong} = {value}"
    with pytest.raises(ProfileError) as caught:
        parse_profile("\n".join(lines), source="p.toml")
    error = caught.value
    assert (error.line, error.key) == (number, wrong)
    known = {*TOP_KEYS, *TABLE_KEYS, *(name for keys in TABLE_KEYS.values() for name in keys)}
    assert error.message.partition("nearest valid key is ")[2].split("'")[1] in known


@given(PROFILES, st.data())
def test_a_value_of_the_wrong_type_is_told_with_its_line(profile: m.Profile, data: st.DataObject) -> None:
    text = to_toml(profile)
    takes_no_text = [row for row in lines_with_a_key(text) if row[1] not in {"name", "description"}]
    number, key, _ = data.draw(st.sampled_from(takes_no_text))
    wrong = data.draw(
        st.sampled_from(["-1", "{}", "[[]]", '"\\n"', "1e400", "nan", '"2026-02-30"', '["a", 1]', "00:00:01"])
    )
    lines = text.splitlines()
    lines[number - 1] = f"{key} = {wrong}"
    with pytest.raises(ProfileError) as caught:
        parse_profile("\n".join(lines), source="p.toml")
    assert (caught.value.line, caught.value.key) == (number, key)


@given(PROFILES, st.data())
def test_a_cut_or_mangled_profile_is_an_error_or_a_profile(profile: m.Profile, data: st.DataObject) -> None:
    text = to_toml(profile)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    mangled = text[:start] + data.draw(st.text("[]{}=\"'#,.\n\\ \x00é0a-", max_size=6)) + text[end:]
    error = None
    try:
        parse_profile(mangled, source="p.toml")
    except ProfileError as found:
        error = found
    assert error is None or 1 <= error.line <= mangled.count("\n") + 1


STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 287)), min_size=1, max_size=12)


@given(PROFILES, PLACES, DATES, STEPS)
def test_a_week_has_at_each_step_what_holds_then(
    profile: m.Profile, site: str | None, monday: date, steps: list[tuple[int, int]]
) -> None:
    """A week looks only where something can change; each step has the limit that a look there finds."""
    found = week_of(profile, site, monday, line=BytesPerSecond(2_500_000))
    zone = ZoneInfo(found.time_zone)
    assert all(
        [run.start for run in row.runs] == [0, *(run.end for run in row.runs[:-1])] and row.runs[-1].end == 1_440
        for row in found.days
    )
    for day, step in steps:
        wall = datetime.combine(found.days[day].day, time(step // 12, step % 12 * 5))
        cell = next(run.cell for run in found.days[day].runs if run.start <= step * 5 < run.end)
        assert cell.skipped == is_skipped(wall, zone)
        if not cell.skipped:
            limits = [
                effective_limit(profile, site, at, line=BytesPerSecond(2_500_000))
                for at in set(instants_of(wall, zone))
            ]
            limit = min(limits, key=strictness)
            assert (cell.rate, cell.boost, cell.twice) == (limit.rate, limit.boost, len(limits) > 1)


def test_a_week_looks_where_rules_begin_and_end_and_everywhere_when_the_clocks_change() -> None:
    profile = parse_profile(
        'name = "p"\ntime_zone = "Europe/Berlin"\n[[window]]\nfrom = "08:03"\nto = "18:00"\ncap = "1 Mbit/s"\n'
        "[[stop]]\nsince = 2026-06-03T11:59:30Z\n",
        source="p",
    )
    zone = ZoneInfo("Europe/Berlin")
    assert looks_per_week(profile, date(2026, 6, 1), zone) == 7 * 3 + 1
    runs = week_of(profile, None, date(2026, 6, 1)).days[2].runs
    assert [run.start for run in runs] == [0, 485, 840]
    # each of the three days about the change of the clock, as far as the week has them
    assert looks_per_week(profile, date(2026, 3, 23), zone) == 2 * 288 + 5 * 3
