"""What `bandwidth … --json` prints: a type for each document. Keys may be added, and never change.

Rates are bytes per second, times of day minutes after midnight, moments ISO 8601 with their offset.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from bandwidth.core.states import Reason, State
from bandwidth.profiles.model import Sensitivity
from bandwidth.profiles.precedence import Measure, RuleKind
from bandwidth.profiles.resolve import RuleState
from bandwidth.simulator.scenario import Scenario

Rate = Annotated[int, Meta(extra={"unit": "bytes per second"})]
Seconds = Annotated[float, Meta(extra={"unit": "seconds"})]


class LineShare(Struct, frozen=True):
    """What the seed server may send to a site with such a line."""

    bytes_per_second: Rate
    """What the seed server sends to the site at most."""
    mbit_per_second: float
    """The same in Mbit/s (10^6 bit/s)."""


# --- check ---------------------------------------------------------------------------------------


class GoodProfile(Struct, frozen=True):
    """A file that is right."""

    file: str
    """The file as it was given: a path, or the name of a shipped profile."""
    ok: Literal[True]
    """It is right."""
    name: str
    """The profile's name."""
    sites: int
    """How many sites it names; 0: it is for every site."""
    warnings: list[str] = []
    """What is allowed and surely not meant, in words: that nothing is ever sent to a site."""


class WrongProfile(Struct, frozen=True):
    """A file that is not right."""

    file: str
    """The file as it was given."""
    ok: Literal[False]
    """It is not right."""
    line: int | None
    """The line to blame, from 1; null: none is."""
    key: str
    """The key to blame; empty: none is."""
    error: str
    """What is wrong, and what would be right."""
    column: int | None = None
    """The place in the line where it is wrong, from 1; null: the whole line is to blame, or none is. Since 0.3."""


# --- explain -------------------------------------------------------------------------------------


class Rule(Struct, frozen=True):
    """A rule that won."""

    kind: RuleKind
    """What kind of rule."""
    name: str
    """Its name in the profile."""
    measure: Measure
    """What its limit is computed from."""


class RuleAnswer(Struct, frozen=True):
    """A rule that was considered."""

    kind: RuleKind
    """What kind of rule."""
    name: str
    """Its name in the profile."""
    measure: Measure
    """What its limit is computed from."""
    limit: Rate | None
    """Its limit, bytes per second; null: none, or not known."""
    state: RuleState
    """Whether it counts, or why it does not."""


class Explanation(Struct, frozen=True):
    """The limit at a moment, and why."""

    profile: str
    """The profile's name."""
    site: str
    """The site's name."""
    at: str
    """The moment, by the site's clock."""
    ambiguous: bool
    """The hour comes twice, and this is the stricter of both."""
    rate: Rate | None
    """The limit, bytes per second; 0: stopped; null: none."""
    floor: Rate
    """What is sent at least, whatever the line looks like, bytes per second."""
    floor_reason: str
    """Whose floor it is, or why there is none."""
    blackout: bool
    """Nothing may be sent."""
    boost: bool
    """A boost is in force."""
    sensitivity: Sensitivity
    """How early the limiter yields."""
    rule: Rule
    """The rule that won."""
    considered: list[RuleAnswer]
    """Every rule, the weightiest first."""


# --- plot ----------------------------------------------------------------------------------------


class PlottedRun(Struct, frozen=True):
    """Minutes of a day, all alike."""

    start_minute: int
    """The first minute, after midnight of the day's civil time."""
    end_minute: int
    """The minute that it ends before, up to 1440."""
    rate: Rate | None
    """The limit, bytes per second; 0: stopped; null: none."""
    rule: str
    """The rule that sets it, in words."""
    skipped: bool
    """The clocks never show these minutes."""
    twice: bool
    """The clocks show them twice, and this is the stricter of both."""


class PlottedDay(Struct, frozen=True):
    """One day."""

    date: str
    """YYYY-MM-DD."""
    holiday: str
    """The holiday's name; empty on an ordinary day."""
    runs: list[PlottedRun]
    """All of the day, in order."""


class PlottedWeek(Struct, frozen=True):
    """The limits of a week."""

    profile: str
    """The profile's name."""
    site: str
    """The site's name."""
    time_zone: str
    """The site's time zone, a name of the IANA database."""
    days: list[PlottedDay]
    """Seven days, from Monday on."""


# --- compare and simulate ------------------------------------------------------------------------


class RunFigures(Struct, frozen=True):
    """What a run comes to. Shares are parts of 1; null: there was nothing of the kind."""

    business_keeps: float
    """Business's bytes with patches ÷ alone."""
    voip_added_p95_seconds: float | None
    """What is added to a call's one-way delay, seconds, at the 95th percentile."""
    voip_added_p99_seconds: float | None
    """The same at the 99th percentile."""
    page_growth_p50: float | None
    """By how much the median page takes longer: 0.03 is 3 %."""
    page_growth_p95: float | None
    """The same at the 95th percentile."""
    queue_p95_seconds: float
    """Queueing delay, seconds, at the 95th percentile."""
    queue_alone_p95_seconds: float
    """The same for business alone."""
    idle_use: float
    """Share of the idle line that patches use."""
    spare_captured: float | None
    """Share that patches use of what business leaves."""
    yield_seconds: float | None
    """The slowest yield to a download that begins, seconds."""
    yields_missed: int
    """How many downloads were never yielded to."""
    regain_seconds: float | None
    """The slowest regain of the line after a download ends, seconds."""
    regains_missed: int
    """After how many downloads the line was not regained."""


class HarmRow(Struct, frozen=True):
    """A figure of business, in words for people."""

    figure: str
    """What it is, with its unit."""
    alone: str
    """Business alone."""
    together: str
    """Business with patches."""
    change: str
    """The difference."""


class SimulatedSecond(Struct, frozen=True):
    """One second of a run. Rates are bytes per second."""

    second: int
    """From 0."""
    patches: Rate
    """Rate of the patches."""
    business: Rate
    """Rate of business."""
    business_alone: Rate
    """Rate of business without patches."""
    allowed: Rate | None
    """Mean rate that the limiter allows; null: it decided nothing."""
    ceiling: Rate | None
    """The profile's ceiling; null: none."""
    queue_p95_seconds: float
    """Queueing delay, seconds, at the 95th percentile."""
    queue_alone_p95_seconds: float
    """The same for business alone."""
    state: State | None
    """The limiter's state that held longest."""
    reason: Reason | None
    """Its reason."""


class ComparisonAnswer(Struct, frozen=True):
    """The limiter and its rivals, each in the same run."""

    scenario: Scenario
    """The line, and what runs on it."""
    results: dict[str, RunFigures]
    """The figures of each sender, by its name."""


class Passing(Struct, frozen=True):
    """How much passes the line by the profile and the line's rate alone, as if nobody else used it."""

    night_begins: str
    """Begin of the next night, by the site's clock: 20:00."""
    night_ends: str
    """Its end: 06:00."""
    night_bytes: Annotated[int, Meta(extra={"unit": "bytes"})]
    """What passes in it."""
    file_bytes: Annotated[int, Meta(extra={"unit": "bytes"})]
    """The length of a file that is sent from the moment of the run on."""
    file_there_at: str | None
    """When it is there, to five minutes; null: not within a week."""


class Simulation(RunFigures, frozen=True, kw_only=True):
    """The limiter beside business on a simulated line."""

    profile: str
    """The profile's name."""
    site: str
    """The site's name."""
    at: str
    """The moment at which the run begins, by the site's clock."""
    scenario: Scenario
    """The line, and what runs on it."""
    rule: Rule
    """The rule in force at the start."""
    passing: Passing
    """How much passes in a night, and when a file is there, without business."""
    business: list[HarmRow]
    """What business gets, alone and with patches."""
    reason_seconds: dict[Reason, Seconds]
    """Seconds for which the limiter acted for each reason, the longest first."""
    seconds: list[SimulatedSecond]
    """The run, second by second."""


DOCUMENTS: dict[str, object] = {
    "line-share": LineShare,
    "check": list[GoodProfile | WrongProfile],
    "explain": Explanation,
    "plot": PlottedWeek,
    "simulate": Simulation,
    "compare": ComparisonAnswer,
}
"""What each command prints with ``--json``; docs/json.md is made of it."""
