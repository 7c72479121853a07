"""`seed_server.origin.pinging`: how often who is pinged, and when a connection is given up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.wire.messages import OLDEST_PROTOCOL, PROTOCOL_VERSION
from p2pdist.shared.wire.pings import Echo
from seed_server.line.ping_log import PingLog
from seed_server.origin.limits import OriginLimits
from seed_server.origin.pinging import CERTIFICATE_EXPIRED, Pinging
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

STEP = 0.25
LIMITS = OriginLimits()
GIVEN_UP_SECONDS_OF_OLD = 30.0  # release 0.2.0's `SILENCE_SECONDS`


@dataclass(eq=False)
class Pc:
    """A session, as far as `Pinging` asks; it echoes at once while it ``answers``."""

    endpoint: EndpointId
    protocol: int = PROTOCOL_VERSION
    answers: bool = True
    loses: int = 0
    """So many pings, or their echoes, get lost."""
    link: object = None
    pinged_at: float = 0.0
    ping_look_at: float = 0.0
    heard_at: float = 0.0
    echoes_before: int = 0
    missed_pings: int = 0
    pings: PingLog = field(default_factory=PingLog)
    connection: Any = field(default_factory=lambda: SimpleNamespace(certificate_expired=False))
    pinged: list[float] = field(default_factory=list)
    ended: str | None = None
    now: float = 0.0

    @property
    def outbox(self) -> "Pc":
        return self

    def put_ping(self) -> None:
        self.pinged.append(self.now)
        number = self.pings.sent(self.now)
        if self.loses:
            self.loses -= 1
        elif self.answers:
            self.pings.echoed(Echo(number, 0.0, 0.0), self.now)
            self.heard_at = self.now

    def end(self, reason: str) -> None:
        self.ended = reason

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in zip(self.pinged, self.pinged[1:], strict=False)]


class Site:
    """A site, as far as `Pinging` asks; `wait` lets time pass."""

    def __init__(self, *pcs: Pc) -> None:
        self.now = 0.0
        self.pinging = Pinging(LIMITS)
        self.pcs = pcs
        self.live = cast(
            "LiveSite",
            SimpleNamespace(sessions={pc.endpoint: pc for pc in pcs}, sending=set(), steered=False),
        )
        for pc in pcs:
            self.pinging.joined(cast("Session", pc), self.live, 0.0)

    def begin(self) -> None:
        self.live.steered = True  # type: ignore[misc] # played
        self.pinging.hurry(self.live, self.now)

    def wait(self, seconds: float, each_step: Callable[[], None] = lambda: None) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            for pc in self.pcs:
                pc.now = self.now
            each_step()
            self.pinging.poll(self.now)


def pc(letter: str = "a", **what: Any) -> Pc:
    return Pc(EndpointId(letter * 26), **what)


def test_who_is_sent_nothing_is_pinged_at_once_and_then_about_once_a_minute_each_at_its_own_time() -> None:
    site = Site(*(pc(letter) for letter in "abcdefgh"))
    site.wait(3_600)
    for one in site.pcs:
        assert one.pinged[0] == 0.0
        assert LIMITS.ping_seconds <= one.gaps[0] <= LIMITS.idle_ping_seconds + STEP
        later = one.gaps[1:]
        assert 0.9 * LIMITS.idle_ping_seconds <= min(later) <= max(later) <= LIMITS.idle_ping_seconds + STEP
        assert one.ended is None
    assert len({one.pinged[-1] for one in site.pcs}) > 4, "they drift apart"


def test_all_that_come_back_at_once_are_no_wave_of_pings_a_minute_later() -> None:
    site = Site(*(Pc(endpoint_id_of_public_key(bytes([n]))) for n in range(250)))
    site.wait(LIMITS.idle_ping_seconds)
    seconds = Counter(int(one.pinged[1]) for one in site.pcs)
    assert max(seconds.values()) <= 15, "5 a second, by chance some more"


def test_a_pc_of_release_0_2_0_is_never_left_alone_for_as_long_as_makes_it_give_up() -> None:
    old = pc(protocol=OLDEST_PROTOCOL, link=object())
    site = Site(old)
    site.wait(600)
    site.begin()
    site.wait(600)
    assert max(old.gaps) < 0.75 * GIVEN_UP_SECONDS_OF_OLD


def test_who_does_not_answer_is_asked_again_soon_and_given_up_within_three_minutes() -> None:
    gone = pc()
    site = Site(gone)
    site.wait(12)  # just pinged the second time
    gone.answers = False
    site.wait(60)
    assert gone.ended is None
    site.wait(180 - 60)
    assert [gone.ended] == [f"no answer to {LIMITS.max_missed_pings} pings"]
    assert gone.gaps[-1] <= LIMITS.ping_seconds + STEP


def test_pings_that_are_lost_end_nothing_while_one_is_answered() -> None:
    busy = pc()
    site = Site(busy)
    for _ in range(20):
        busy.loses = LIMITS.max_missed_pings - 1
        site.wait(2 * LIMITS.idle_ping_seconds)
    assert busy.ended is None


def test_when_a_site_begins_to_be_sent_to_who_could_fetch_is_asked_within_seconds_and_then_whenever_it_is_quiet() -> (
    None
):
    fetcher, idle = pc("a", link=object()), pc("b")
    site = Site(fetcher, idle)
    site.wait(30)
    site.begin()
    site.wait(LIMITS.ping_seconds + STEP)
    asked = [at for at in fetcher.pinged if at > 30]
    assert len(asked) == 1
    site.wait(60)
    assert len([at for at in fetcher.pinged if at > 30]) >= 60 / (LIMITS.ping_seconds + STEP)
    assert len(idle.pinged) <= 3, "who has no data connection gets no turn that others could have"


def test_who_says_something_anyway_need_not_be_asked_but_once_a_minute() -> None:
    talks = pc(link=object())
    site = Site(talks)
    site.begin()

    def talk() -> None:
        talks.heard_at = site.now

    site.wait(600, talk)
    assert len(talks.pinged) <= 600 / (0.9 * LIMITS.idle_ping_seconds) + 1
    site.live.sending.add(cast("Any", talks.link))
    site.pinging.hurry(site.live, site.now)
    before = len(talks.pinged)
    site.wait(60, talk)
    assert len(talks.pinged) - before >= 60 / LIMITS.ping_seconds - 2, "who fetches answers pings, whatever it says"


def test_an_expired_certificate_ends_the_connection_and_who_has_left_is_not_pinged() -> None:
    expired, left = pc("a"), pc("b")
    site = Site(expired, left)
    expired.connection.certificate_expired = True
    del site.live.sessions[left.endpoint]
    site.wait(120)
    assert expired.ended == CERTIFICATE_EXPIRED
    assert len(left.pinged) == 1
