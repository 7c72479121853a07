"""Each check has its three answers, and what is wrong has somebody who mends it."""

from dataclasses import replace
from typing import get_args

import pytest
from msgspec import structs

from p2pdist.doctor.facts import (
    DaemonFacts,
    DoctorFacts,
    EnrolmentFacts,
    FirewallFacts,
    HomeFacts,
    LocalPortFacts,
    NameFacts,
    OriginFacts,
    PacketFacts,
    PlaceFacts,
    PortUsers,
    SurroundingFacts,
    WebFacts,
)
from p2pdist.doctor.judgement import CHECKS, judge
from p2pdist.local_api.delivery_answers import LimiterAnswer, Peer, PeerCallers, PeersAnswer, StatusAnswer
from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding, Mender, Verdict
from p2pdist.local_api.server_answers import KnownServerAddress, ServerAnswer
from p2pdist.status.reasons import LARGE_PACKETS_WORDS
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from tests.helpers.daemon_answers import LIMITER

NOW = 1_700_000_000.0
DAY = 86_400.0
WEB = WebFacts("seed.example:8443", words="It failed.", server_time=NOW, own_time=NOW + 2)
ORIGIN = OriginFacts("seed.example:7690", "open")
PLACE = PlaceFacts("/var/lib/p2pdist", "ext4", free_bytes=50 << 30)


def status(**changed: object) -> StatusAnswer:
    fields: dict[str, object] = {
        "endpoint_id": "e", "site": "tokyo", "server": "hq", "server_connection": "connected", "version": "0.3.0",
        "problems": [], "patches": [], "installs": {},
    }  # fmt: skip
    return StatusAnswer(**(fields | changed))  # type: ignore[arg-type]


def at(*addresses: KnownServerAddress) -> ServerAnswer:
    return ServerAnswer("hq", "connected", list(addresses))


OWN = KnownServerAddress("seed.example", 8443, 7690, own=True, used=True, problem=None)
GONE = structs.replace(OWN, used=False, problem="nothing listens")
NEW = structs.replace(OWN, host="new.example", own=False)


def peer(*sources: str, connected: bool = False, reason: str | None = None, address: str = "10.0.0.2") -> Peer:
    return Peer("n", address, 7_691, list(sources), connected, reason, 0, 0)


CALLED = PeerCallers(3, 20.0, 2, 900.0)


def limiter(network: str) -> LimiterAnswer:
    return structs.replace(LIMITER, network=network, interface="tun0")


def healthy() -> DoctorFacts:
    return DoctorFacts(
        now=NOW,
        enrolment=EnrolmentFacts(not_before=NOW - DAY, not_after=NOW + DAY),
        daemon=DaemonFacts(
            status=status(), peers=PeersAnswer([peer("mdns", connected=True)], CALLED), limiter=LIMITER, server=at(OWN)
        ),
        name=NameFacts("seed.example", ("10.0.0.1",)),
        web=WEB,
        origin=ORIGIN,
        packets=PacketFacts("pass"),
        home=HomeFacts(places=(PLACE,)),
        lan_port=LocalPortFacts(7_691, taken=True),
        mdns_port=LocalPortFacts(5_353, taken=False),
        networks=("10.0.0.0/24", "fd00::/64"),
        firewall=FirewallFacts(lets_in=True),
        port_users=PortUsers(("p2pdist",), ("p2pdist",)),
        surroundings=SurroundingFacts(zone_name="Asia/Tokyo"),
    )


def daemon(problem: str = "", code: str = "", *peers: Peer, connection: str = "connected") -> DaemonFacts:
    known = {"problems": [problem], "problem_codes": [code]} if problem else {}
    return DaemonFacts(status=status(server_connection=connection, **known), peers=PeersAnswer(list(peers)))


def called(callers: PeerCallers) -> DaemonFacts:
    return DaemonFacts(status=status(), peers=PeersAnswer([], callers))


def looking(*addresses: KnownServerAddress) -> DaemonFacts:
    return DaemonFacts(status=status(), server=at(*addresses))


NO_DAEMON = DaemonFacts(problem="The daemon is not running in /home. Start it.")
CASES: list[tuple[CheckCode, Verdict, Mender | None, dict[str, object]]] = [
    ("known-addresses", "wrong", "administrator", {"daemon": looking(GONE)}),
    ("known-addresses", "wrong", "administrator", {"daemon": looking(structs.replace(GONE, own=False), GONE)}),
    ("known-addresses", "unknown", None, {"daemon": looking(GONE, structs.replace(NEW, used=False))}),
    ("known-addresses", "unknown", None, {"daemon": NO_DAEMON}),
    ("known-addresses", "fine", None, {"daemon": looking(NEW, GONE)}),
    ("enrolment", "wrong", "administrator", {"enrolment": EnrolmentFacts("The identity is damaged.")}),
    ("enrolment", "unknown", None, {"enrolment": EnrolmentFacts("It belongs to root.", hidden=True)}),
    ("daemon", "wrong", "administrator", {"daemon": NO_DAEMON}),
    ("daemon", "unknown", None, {"daemon": DaemonFacts("It belongs to root.", hidden=True)}),
    ("daemon", "unknown", None, {"daemon": NO_DAEMON, "enrolment": EnrolmentFacts("Not enrolled.")}),
    ("clock", "wrong", "administrator", {"web": replace(WEB, own_time=NOW + 3_600)}),
    ("clock", "wrong", "administrator", {"web": replace(WEB, own_time=NOW - 3_600)}),
    ("clock", "wrong", "administrator", {"daemon": daemon("This PC's clock cannot be believed.", "clock")}),
    ("clock", "unknown", None, {"web": replace(WEB, failure="certificate_untrusted")}),
    ("clock", "unknown", None, {"web": replace(WEB, server_time=None)}),
    ("certificate", "wrong", "administrator", {"enrolment": EnrolmentFacts("", False, NOW - DAY, NOW - 1)}),
    ("certificate", "wrong", "administrator", {"enrolment": EnrolmentFacts("", False, NOW + 1, NOW + DAY)}),
    ("certificate", "wrong", "administrator", {"enrolment": EnrolmentFacts("", False, NOW - DAY, NOW + DAY, False)}),
    ("certificate", "wrong", "administrator", {"daemon": daemon("It cannot be renewed.", "certificates")}),
    ("certificate", "unknown", None, {"enrolment": EnrolmentFacts("Not enrolled.")}),
    ("server-certificate", "wrong", "operator", {"web": replace(WEB, failure="certificate_expired")}),
    (
        "server-certificate",
        "wrong",
        "administrator",
        {"web": replace(WEB, failure="certificate_expired", own_time=NOW + DAY)},
    ),
    ("server-certificate", "wrong", "operator", {"web": replace(WEB, failure="certificate_wrong_name")}),
    ("server-certificate", "wrong", "network", {"web": replace(WEB, failure="certificate_untrusted")}),
    ("server-certificate", "unknown", None, {"web": replace(WEB, failure="no_answer")}),
    ("server-certificate", "unknown", None, {"web": None}),
    ("dns", "fine", None, {"name": NameFacts("10.0.0.1", is_address=True)}),
    ("dns", "wrong", "network", {"name": NameFacts("seed.example", problem="no answer in time")}),
    ("dns", "unknown", None, {"name": None}),
    ("web-port", "wrong", "operator", {"web": replace(WEB, failure="port_closed")}),
    ("web-port", "wrong", "network", {"web": replace(WEB, failure="no_answer")}),
    ("web-port", "wrong", "operator", {"web": replace(WEB, failure="wrong_answer")}),
    ("web-port", "unknown", None, {"web": replace(WEB, failure="large_packets_lost")}),
    ("web-port", "unknown", None, {"web": replace(WEB, failure="no_answer"), "name": NameFacts("x", problem="none")}),
    ("origin-port", "wrong", "operator", {"origin": replace(ORIGIN, state="refused")}),
    ("origin-port", "wrong", "network", {"origin": replace(ORIGIN, state="silent")}),
    ("origin-port", "wrong", "network", {"origin": replace(ORIGIN, state="unreachable")}),
    ("origin-port", "wrong", "operator", {"origin": replace(ORIGIN, state="foreign")}),
    (
        "origin-port",
        "unknown",
        None,
        {"origin": replace(ORIGIN, state="foreign"), "web": replace(WEB, failure="certificate_expired")},
    ),
    ("origin-port", "unknown", None, {"origin": None}),
    ("packets", "wrong", "network", {"packets": PacketFacts("lost")}),
    ("packets", "wrong", "network", {"web": replace(WEB, failure="large_packets_lost")}),
    ("packets", "wrong", "network", {"daemon": daemon(LARGE_PACKETS_WORDS, "packets")}),
    ("packets", "unknown", None, {"packets": None}),
    ("lan-port", "wrong", "administrator", {"daemon": NO_DAEMON}),
    ("lan-port", "unknown", None, {"daemon": DaemonFacts("It belongs to root.", hidden=True)}),
    ("lan-port", "wrong", "administrator", {"lan_port": LocalPortFacts(7_691, taken=False)}),
    ("lan-port", "fine", None, {"daemon": NO_DAEMON, "lan_port": LocalPortFacts(7_691, taken=False)}),
    ("lan-port", "unknown", None, {"lan_port": LocalPortFacts(0)}),
    ("lan-port", "unknown", None, {"lan_port": LocalPortFacts(7_691, problem="not permitted")}),
    ("lan-incoming", "wrong", "administrator", {"daemon": called(PeerCallers(0, None, 9, 900.0))}),
    ("lan-incoming", "unknown", None, {"daemon": called(PeerCallers(0, None, 9, 60.0))}),
    ("lan-incoming", "unknown", None, {"daemon": called(PeerCallers(0, None, 7, 9_000.0))}),
    ("lan-incoming", "unknown", None, {"daemon": daemon()}),
    (
        "networks",
        "wrong",
        "network",
        {"daemon": daemon("", "", peer("server", reason="timed out", address="10.9.0.7"))},
    ),
    ("networks", "fine", None, {"daemon": daemon("", "", peer("server", connected=True, address="10.9.0.7"))}),
    ("networks", "unknown", None, {"daemon": daemon("", "", peer("server", reason="x", address="10.9.0.7"))}),
    ("networks", "unknown", None, {"networks": ()}),
    ("networks", "unknown", None, {"daemon": NO_DAEMON}),
    ("vpn", "wrong", "network", {"daemon": replace(daemon("", "", peer("mdns")), limiter=limiter("VPN"))}),
    ("vpn", "fine", None, {"daemon": replace(daemon(), limiter=limiter("VPN"))}),
    ("vpn", "unknown", None, {"daemon": NO_DAEMON}),
    ("firewall", "wrong", "administrator", {"firewall": FirewallFacts("ufw", False, mend="Run: ufw allow 7691/tcp")}),
    ("firewall", "fine", None, {"firewall": FirewallFacts("firewalld", True)}),
    ("firewall", "unknown", None, {"firewall": FirewallFacts(why="The rules cannot be read.")}),
    ("firewall", "unknown", None, {"firewall": None}),
    ("port-users", "wrong", "administrator", {"port_users": PortUsers(("p2pdist", "transmission-da"), ())}),
    ("port-users", "fine", None, {"port_users": PortUsers((), ("avahi-daemon",))}),
    ("port-users", "unknown", None, {"port_users": None}),
    ("mdns", "wrong", "administrator", {"daemon": daemon("mDNS is switched off", "mdns")}),
    ("mdns", "wrong", "network", {"daemon": daemon("", "", peer("server"))}),
    ("mdns", "fine", None, {"daemon": daemon("", "", peer("server", connected=True))}),
    ("mdns", "unknown", None, {"daemon": daemon()}),
    ("mdns", "unknown", None, {"daemon": NO_DAEMON}),
    ("mdns-port", "wrong", "administrator", {"mdns_port": LocalPortFacts(5_353, taken=True)}),
    ("mdns-port", "unknown", None, {"mdns_port": None}),
    ("isolation", "wrong", "network", {"daemon": daemon("", "", peer("mdns", reason=PeerReason.TIMED_OUT.value))}),
    ("isolation", "unknown", None, {"daemon": daemon("", "", peer("mdns", reason=PeerReason.NOT_TRIED.value))}),
    ("isolation", "unknown", None, {"daemon": NO_DAEMON}),
    ("identity", "wrong", "administrator", {"daemon": daemon("This PC's identity is used by pc7 too.", "identity")}),
    ("identity", "unknown", None, {"daemon": NO_DAEMON}),
    ("identity", "unknown", None, {"daemon": daemon(connection="no answer")}),
    (
        "rights",
        "wrong",
        "administrator",
        {"home": HomeFacts(("others can read the key",), "", (PLACE,))},
    ),
    ("rights", "unknown", None, {"home": HomeFacts(unreadable="It belongs to root.")}),
    ("rights", "unknown", None, {"home": HomeFacts()}),
    ("file-system", "wrong", "administrator", {"home": HomeFacts(places=(replace(PLACE, kind="tmpfs"),))}),
    ("file-system", "wrong", "administrator", {"home": HomeFacts(places=(replace(PLACE, kind="nfs4"),))}),
    ("file-system", "wrong", "administrator", {"home": HomeFacts(places=(PLACE, replace(PLACE, no_programs=True)))}),
    ("file-system", "wrong", "administrator", {"home": HomeFacts(places=(replace(PLACE, read_only=True),))}),
    ("file-system", "wrong", "administrator", {"home": HomeFacts(places=(replace(PLACE, folds_case=True),))}),
    ("file-system", "unknown", None, {"home": HomeFacts()}),
    ("disk-space", "wrong", "owner", {"home": HomeFacts(places=(PLACE, replace(PLACE, free_bytes=0)))}),
    ("disk-space", "unknown", None, {"home": HomeFacts()}),
    (
        "proxy",
        "wrong",
        "network",
        {"surroundings": SurroundingFacts(("https_proxy",)), "web": replace(WEB, failure="no_answer")},
    ),
    ("proxy", "fine", None, {"surroundings": SurroundingFacts(("https_proxy",))}),
    ("proxy", "unknown", None, {"surroundings": SurroundingFacts(("https_proxy",)), "web": None}),
    ("time-zones", "wrong", "administrator", {"surroundings": SurroundingFacts(zone_name="Mars/X", zone_known=False)}),
    ("time-zones", "fine", None, {"surroundings": SurroundingFacts()}),
    ("reported", "wrong", "administrator", {"daemon": daemon("Restart this PC.", "install")}),
    ("reported", "unknown", None, {"daemon": NO_DAEMON}),
]


def of(code: CheckCode, facts: DoctorFacts) -> CheckFinding:
    return next(finding for finding in judge(facts) if finding.code == code)


@pytest.mark.parametrize(("code", "verdict", "mender", "changed"), CASES)
def test_what_is_seen_is_judged(
    code: CheckCode, verdict: Verdict, mender: Mender | None, changed: dict[str, object]
) -> None:
    found = of(code, replace(healthy(), **changed))  # type: ignore[arg-type]
    assert (found.verdict, found.mender) == (verdict, mender)
    assert bool(found.remedy) == (verdict == "wrong")
    assert found.observed.endswith((".", "off")) or ": " in found.observed


def test_where_all_is_well_nothing_is_wrong() -> None:
    verdicts = {finding.code: finding.verdict for finding in judge(healthy())}
    assert set(verdicts) == set(get_args(CheckCode))
    assert verdicts == dict.fromkeys(verdicts, "fine")


def test_every_check_is_provoked() -> None:
    """A check without a case in which it finds something is none."""
    provoked = {code for code, verdict, _, _ in CASES if verdict == "wrong"}
    assert provoked == {*CHECKS, "reported"}


def test_a_problem_with_a_check_of_its_own_is_said_once() -> None:
    facts = replace(healthy(), daemon=daemon("This PC's identity is used by pc7 too.", "identity"))
    assert [finding.code for finding in judge(facts) if finding.verdict == "wrong"] == ["identity"]


def test_of_a_daemon_of_an_older_version_every_problem_is_shown() -> None:
    old = DaemonFacts(status=status(problems=["One.", "Two."]), peers=PeersAnswer([]))
    found = [finding.observed for finding in judge(replace(healthy(), daemon=old)) if finding.code == "reported"]
    assert found == ["One.", "Two."]


def test_without_an_identity_nothing_is_blamed_but_that() -> None:
    facts = DoctorFacts(NOW, enrolment=EnrolmentFacts("This PC is not enrolled."))
    assert [finding.code for finding in judge(facts) if finding.verdict == "wrong"] == ["enrolment"]


def test_a_server_that_answers_elsewhere_is_named_with_what_to_do() -> None:
    facts = healthy()
    facts.daemon = looking(NEW, GONE)
    finding = CHECKS["known-addresses"](facts)
    assert "at new.example" in finding.observed
    assert "not at seed.example" in finding.observed
    assert "p2pdist server set new.example" in finding.observed
    facts.daemon = looking(GONE, structs.replace(NEW, used=False, problem="no answer"))
    finding = CHECKS["known-addresses"](facts)
    assert finding.observed.endswith("seed.example, new.example.")
    assert "p2pdist server set" in finding.remedy
