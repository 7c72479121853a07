from datetime import UTC, datetime, timedelta

import pytest

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import LanClass, NetworkKind, Profile, Sensitivity
from bandwidth.profiles.parse import parse_profile
from bandwidth.profiles.precedence import RuleKind
from bandwidth.profiles.resolve import Backlog, EffectiveLimit, RuleState, effective_limit

LINE = BytesPerSecond(2_500_000)  # 20 Mbit/s
WORK = '[[business_hours]]\ndays = "weekdays"\nfrom = "08:00"\nto = "18:00"\n'


def profile(text: str, zone: str = "UTC") -> Profile:
    return parse_profile(f'name = "p"\ntime_zone = "{zone}"\n{text}', source="p")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MONDAY_NOON, MONDAY_NIGHT = at("2026-06-01T12:00"), at("2026-06-01T23:00")


def limit(text: str, when: datetime = MONDAY_NOON, site: str | None = None) -> EffectiveLimit:
    return effective_limit(profile(text), site, when, line=LINE)


def test_nothing_said_leaves_it_to_the_controller() -> None:
    found = limit("")
    assert (found.rate, found.floor, found.blackout, found.boost) == (None, 0, False, False)
    assert found.rule.kind is RuleKind.ADAPTIVE


@pytest.mark.parametrize(
    ("text", "rate", "kind"),
    [
        ('[[limit]]\ncap = "4 Mbit/s"', 500_000, RuleKind.ABSOLUTE_CAP),
        ("[[limit]]\npercent_of_line = 33.33", 833_250, RuleKind.PERCENT_OF_LINE),
        ("[[limit]]\npercent_of_spare = 50", 100_000, RuleKind.PERCENT_OF_SPARE),
        ('[[limit]]\ncap = "4 Mbit/s"\npercent_of_line = 10', 250_000, RuleKind.PERCENT_OF_LINE),
        ('[[limit]]\ncap = "4 Mbit/s"\n[[window]]\nto = "13:00"\ncap = "2 Mbit/s"', 250_000, RuleKind.WINDOW),
        ('[[limit]]\ncap = "4 Mbit/s"\n[[window]]\nto = "12:00"\ncap = "2 Mbit/s"', 500_000, RuleKind.ABSOLUTE_CAP),
        # equal limits: the weightier rule is named
        (
            '[[limit]]\ncap = "4 Mbit/s"\npercent_of_line = 20\n[[window]]\nto = "13:00"\ncap = "4 Mbit/s"',
            500_000,
            RuleKind.WINDOW,
        ),
        ('[[limit]]\npercent_of_line = 20\n[[limit]]\ncap = "4 Mbit/s"', 500_000, RuleKind.ABSOLUTE_CAP),
        ('[[limit]]\ncap = "4 Mbit/s"\n[[blackout]]\nto = "13:00"', 0, RuleKind.BLACKOUT),
        ("[[blackout]]\n[[stop]]", 0, RuleKind.EMERGENCY_STOP),
    ],
)
def test_the_least_limit_wins(text: str, rate: int, kind: RuleKind) -> None:
    found = effective_limit(profile(text), None, MONDAY_NOON, line=LINE, spare=BytesPerSecond(200_000))
    assert (found.rate, found.rule.kind, found.blackout) == (rate, kind, rate == 0)


def test_every_rule_is_told_with_its_own_limit_and_why_it_does_not_count() -> None:
    found = effective_limit(
        profile(
            '[[site]]\nname = "a"\n[[limit]]\nname = "vpn"\nnetworks = ["vpn"]\ncap = "1 Mbit/s"\n'
            '[[limit]]\nname = "a"\nsites = ["a"]\ncap = "2 Mbit/s"\n'
            '[[limit]]\nname = "lan"\nlegs = ["lan-wifi"]\ncap = "3 Mbit/s"\n'
            '[[window]]\nname = "night"\nfrom = "20:00"\ncap = "4 Mbit/s"\n'
            '[[limit]]\nname = "spare"\npercent_of_spare = 5\n'
        ),
        "b",
        MONDAY_NOON,
    )
    assert [(rule.name, rule.limit, rule.state) for rule in found.considered] == [
        ("night", 500_000, RuleState.NOT_NOW),
        ("vpn", 125_000, RuleState.OTHER_NETWORKS),
        ("a", 250_000, RuleState.OTHER_SITES),
        ("lan", 375_000, RuleState.OTHER_LEG),
        ("spare", None, RuleState.UNKNOWN),
        ("adaptive", None, RuleState.IN_FORCE),
    ]
    assert found.rate is None


def test_sites_groups_and_their_own_lines_and_zones() -> None:
    text = (
        'line = "8 Mbit/s"\n[[site]]\nname = "york"\ngroups = ["north"]\nline = "80 Mbit/s"\ntime_zone = "Asia/Tokyo"\n'
        '[[limit]]\npercent_of_line = 50\n[[blackout]]\ngroups = ["north"]\nfrom = "20:30"\nto = "21:30"\n'
    )
    other = effective_limit(profile(text), "elsewhere", MONDAY_NOON)
    assert other.rate == 500_000
    assert effective_limit(profile(text), "york", MONDAY_NOON).blackout  # 21:00 in Tokyo
    assert effective_limit(profile(text), "york", MONDAY_NIGHT).rate == 5_000_000
    # the less of the learned and the configured line counts
    assert effective_limit(profile(text), "york", MONDAY_NIGHT, line=LINE).rate == 1_250_000
    assert effective_limit(profile(text), "elsewhere", MONDAY_NIGHT, line=LINE).rate == 500_000


def test_networks_and_lan_classes() -> None:
    text = (
        '[[limit]]\ncap = "4 Mbit/s"\n[[limit]]\nnetworks = ["vpn"]\ncap = "1 Mbit/s"\n'
        '[[blackout]]\nnetworks = ["metered"]\n'
        '[[limit]]\nlegs = ["lan-wifi"]\ncap = "40 Mbit/s"\n'
    )
    rules = profile(text)
    assert effective_limit(rules, None, MONDAY_NOON, network=NetworkKind.VPN).rate == 125_000
    assert effective_limit(rules, None, MONDAY_NOON, network=NetworkKind.METERED).blackout
    assert effective_limit(rules, None, MONDAY_NOON, network=NetworkKind.METERED, lan_class=LanClass.WIFI).blackout
    assert effective_limit(rules, None, MONDAY_NOON, lan_class=LanClass.WIFI).rate == 5_000_000
    assert effective_limit(rules, None, MONDAY_NOON, lan_class=LanClass.WIRED).rate is None


def test_the_minimum_rate_is_0_in_business_hours_and_the_smaller_of_two_outside() -> None:
    text = WORK + '[[limit]]\nmin_rate = "1 Mbit/s"\n[[window]]\nfrom = "22:00"\nto = "06:00"\nmin_rate = "2 Mbit/s"\n'
    assert (limit(text).floor, limit(text).floor_reason) == (0, "0 in business hours")
    assert (limit(text, MONDAY_NIGHT).floor, limit(text, MONDAY_NIGHT).floor_reason) == (125_000, "min_rate")


def test_the_minimum_rate_is_never_above_the_limit() -> None:
    found = limit(WORK + '[[limit]]\nmin_rate = "2 Mbit/s"\ncap = "1 Mbit/s"', MONDAY_NIGHT)
    assert (found.rate, found.floor) == (125_000, 125_000)
    stopped = limit(WORK + '[[limit]]\nmin_rate = "2 Mbit/s"\n[[stop]]', MONDAY_NIGHT)
    assert (stopped.rate, stopped.floor) == (0, 0)


def test_a_site_without_business_hours_of_its_own_gets_no_minimum_rate() -> None:
    text = '[[site]]\nname = "a"\n' + WORK + 'sites = ["a"]\n[[limit]]\nmin_rate = "1 Mbit/s"\n'
    assert limit(text, MONDAY_NIGHT, "a").floor == 125_000
    assert limit(text, MONDAY_NIGHT, "b").floor == 0


@pytest.mark.parametrize(
    ("remaining", "hours", "floor"),
    [
        (36_000_000, 10, 1_200),  # 36 MB in 36,000 s: need 1,000 B/s
        (36_000_001, 10, 1_201),  # rounded up, so that it arrives
        (36_000_000, 1, 12_000),
        (36_000_000, 0.5, 12_000),  # the last hour counts as an hour
        (36_000_000, -5, 12_000),  # and so does the time after
        (0, 10, 0),
    ],
)
def test_a_deadline_lifts_the_floor_in_business_hours(remaining: int, hours: float, floor: int) -> None:
    rules = profile(WORK + '[[limit]]\nmin_rate = "8 bit/s"\n')
    backlog = Backlog(remaining, MONDAY_NOON + timedelta(hours=hours))
    assert effective_limit(rules, None, MONDAY_NOON, backlog=backlog).floor == floor


def test_the_nearest_deadline_counts_and_a_past_one_of_the_profile_does_not() -> None:
    text = (
        '[[deadline]]\nname = "past"\nby = 2026-06-01T11:00:00\n[[deadline]]\nname = "next"\nby = 2026-06-01T22:00:00\n'
        "[[deadline]]\nby = 2026-06-02T22:00:00\n"
    )
    found = effective_limit(profile(text), None, MONDAY_NOON, backlog=Backlog(36_000_000))
    assert (found.floor, found.floor_reason) == (1_200, "1.2 × need of deadline 'next'")
    assert effective_limit(profile(text), None, MONDAY_NOON).floor == 0


def test_a_deadline_does_not_lift_caps_or_blackouts() -> None:
    urgent = Backlog(10**12, MONDAY_NOON + timedelta(hours=2))
    capped = effective_limit(profile('[[limit]]\ncap = "1 Mbit/s"'), None, MONDAY_NOON, backlog=urgent)
    assert (capped.rate, capped.floor) == (125_000, 125_000)
    stopped = effective_limit(profile("[[blackout]]"), None, MONDAY_NOON, backlog=urgent)
    assert (stopped.rate, stopped.floor) == (0, 0)


BOOST = '[[boost]]\nname = "cve"\nsince = 2026-06-01T11:00:00\nuntil = 2026-06-01T13:00:00\nrate = "16 Mbit/s"\n'


@pytest.mark.parametrize(
    ("text", "rate", "boost"),
    [
        (BOOST, 2_000_000, True),
        (BOOST + "[[limit]]\npercent_of_spare = 1", 2_000_000, True),
        (BOOST + '[[limit]]\ncap = "4 Mbit/s"', 500_000, True),
        (BOOST + "[[limit]]\npercent_of_line = 20", 500_000, True),
        (BOOST + '[[window]]\nto = "13:00"\ncap = "4 Mbit/s"\npercent_of_spare = 1', 500_000, True),
        (BOOST + 'force = true\n[[limit]]\ncap = "4 Mbit/s"\npercent_of_line = 20', 2_000_000, True),
        (BOOST + "force = true\n[[blackout]]", 0, False),
        (BOOST + "force = true\n[[stop]]", 0, False),
        # of two boosts, the stricter
        (BOOST + BOOST.replace("16 M", "8 M"), 1_000_000, True),
        (BOOST + 'force = true\n[[limit]]\ncap = "4 Mbit/s"\n' + BOOST, 500_000, True),
    ],
)
def test_a_boost_skips_adaptation_and_lifts_caps_by_force_alone(text: str, rate: int, boost: bool) -> None:
    found = effective_limit(profile(text), None, MONDAY_NOON, line=LINE, spare=BytesPerSecond(1_000))
    assert (found.rate, found.boost, found.floor) == (rate, boost, rate)


def test_a_boost_ends() -> None:
    assert not limit(BOOST, at("2026-06-01T10:59:59")).boost
    assert limit(BOOST, at("2026-06-01T11:00")).boost
    assert limit(BOOST, at("2026-06-01T12:59:59")).boost
    assert not limit(BOOST, at("2026-06-01T13:00")).boost


def test_ends_in_an_hour_that_comes_twice_are_read_the_stricter_way() -> None:
    # Berlin shows 02:30 at 00:30Z and 01:30Z on 25 October: a boost ends at the first, a stop at the last
    boost = profile('[[boost]]\nuntil = 2026-10-25T02:30:00\nrate = "1 Mbit/s"', "Europe/Berlin")
    stop = profile("[[stop]]\nuntil = 2026-10-25T02:30:00", "Europe/Berlin")
    times = [at(f"2026-10-25T{text}") for text in ("00:29", "00:31", "01:29", "01:31")]
    assert [effective_limit(boost, None, time).boost for time in times] == [True, False, False, False]
    assert [effective_limit(stop, None, time).blackout for time in times] == [True, True, True, False]


def test_a_window_takes_the_stricter_reading_for_its_cap_and_for_its_minimum_rate() -> None:
    work = '[[business_hours]]\nfrom = "12:00"\nto = "13:00"\n'
    text = work + '[[window]]\nto = "02:30"\ncap = "2 Mbit/s"\nmin_rate = "1 Mbit/s"\n'
    rules = profile(text, "Europe/Berlin")
    found = [effective_limit(rules, None, at(f"2026-10-25T{time}")) for time in ("00:29", "00:31", "01:29", "01:31")]
    assert [(limit.rate, limit.floor) for limit in found] == [(250_000, 125_000), (250_000, 0), (250_000, 0), (None, 0)]


def test_the_strictest_sensitivity_counts() -> None:
    text = '[[limit]]\nsensitivity = "relaxed"\n[[window]]\nto = "13:00"\nsensitivity = "strict"\n'
    assert limit("").sensitivity is Sensitivity.NORMAL
    assert limit(text).sensitivity is Sensitivity.STRICT
    assert limit(text, MONDAY_NIGHT).sensitivity is Sensitivity.RELAXED


def test_holidays_of_a_site() -> None:
    text = '[[site]]\nname = "a"\n[[holiday]]\nsites = ["a"]\ndate = "06-01"\n[[blackout]]\ndays = "weekdays"\n'
    assert not limit(text, site="a").blackout
    assert limit(text, site="b").blackout


@pytest.mark.parametrize(
    "when", [datetime.fromisoformat("2026-01-01"), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
)
def test_a_time_that_is_no_instant_is_refused(when: datetime) -> None:
    with pytest.raises(ValueError, match="offset|year"):
        limit("", when)
    with pytest.raises(ValueError, match="the deadline"):
        effective_limit(profile(""), None, MONDAY_NOON, backlog=Backlog(1, datetime.fromisoformat("2026-01-01")))
