"""The server's checks: of each, what makes it wrong."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replace_settings

from p2pdist.shared.identifiers import PatchRef
from seed_server.answers.doctor import Mending, ServerCode, SiteFinding
from seed_server.doctor.facts import (
    AuthorityFacts,
    BackupFacts,
    ContentFacts,
    DatabaseFacts,
    LackingFile,
    ListedAddress,
    ProviderFacts,
    ServedPort,
    ServerFacts,
    ServerFiles,
    SignatureFacts,
    TimeFacts,
)
from seed_server.doctor.server_findings import SERVER_CHECKS, judge_server
from seed_server.fleet.problems import FleetProblem
from seed_server.settings.sections import OidcGroup, OidcSettings
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.role_policy import OnlineLifetimes, RoleExpiry
from seed_server.store.last_backup import LastBackup
from seed_server.store.site_health import SiteTrouble

NOW, DAY, YEAR = 1_800_000_000.0, 86_400.0, 365 * 86_400.0
SETTINGS = ServerSettings(name="hq", address="patches.example.com", api_port=8444)
OWN = replace_settings(SETTINGS, api_certificate="/etc/ssl/hq.pem", api_key="/etc/ssl/hq.key")
OIDC = OidcSettings("https://login.example.com", "id", (OidcGroup("it", ("administrator",)),))
PORT = ServedPort("127.0.0.1:8443", "ours", NOW - DAY, NOW + 80 * DAY)
LISTED = ListedAddress("b.example, ports 1 and 2", (PORT, PORT))
LIFETIMES = OnlineLifetimes(timestamp=DAY, snapshot=7 * DAY, rollouts=30 * DAY)

OLD_KEV = "What is known of exploited weaknesses (KEV) is of 2027-01-06, 8 days ago."
TROUBLED = [SiteTrouble("leeds", 50, 14), SiteTrouble("oslo", 90, 3)]


def expiries(**left: float) -> tuple[RoleExpiry, ...]:
    of = {"timestamp": 0.9 * DAY, "snapshot": 6 * DAY, "rollouts": 29 * DAY, "root": YEAR} | left
    return tuple(RoleExpiry(role, NOW + seconds) for role, seconds in of.items())


def signed(**left: float) -> SignatureFacts:
    return SignatureFacts("", expiries(**left), LIFETIMES)


def well(**changed: Any) -> ServerFacts:
    facts = ServerFacts(
        NOW, settings=SETTINGS, serving=True, files=ServerFiles(free_bytes=1 << 40), web=PORT, origin=PORT, api=PORT,
        elsewhere="", listed=[LISTED, LISTED], authority=AuthorityFacts(expires_at=NOW + 9 * YEAR),
        time=TimeFacts(True, NOW - 5.0, "a signature", 500),
        database=DatabaseFacts(), content=ContentFacts(3), signatures=signed(),
        disk=[], audit=[], rollouts=[], site_map=[], pcs=[], lines=[], troubled=[],
        intelligence=[],
        backup=BackupFacts(LastBackup(NOW - DAY, "/mnt"), 3),
    )  # fmt: skip
    for name, value in changed.items():
        setattr(facts, name, value)
    return facts


def told(*texts: str) -> list[FleetProblem]:
    return [FleetProblem(text, "do this") for text in texts]


def at(origin: ServedPort) -> list[ListedAddress]:
    return [LISTED, replace(LISTED, ports=(PORT, origin))]


def found(code: ServerCode, facts: ServerFacts) -> SiteFinding:
    return SERVER_CHECKS[code](facts)


def test_nothing_is_wrong_with_a_server_that_is_well() -> None:
    findings = judge_server(well())
    assert [one.code for one in findings if one.verdict != "fine"] == []
    assert [one.code for one in findings] == list(SERVER_CHECKS)


def test_nothing_is_said_of_what_could_not_be_looked_at() -> None:
    assert [one.code for one in judge_server(ServerFacts(NOW)) if one.verdict != "unknown"] == []


WRONG: list[tuple[ServerCode, dict[str, Any], str, Mending]] = [
    ("server-home", {"settings_problem": "server.toml: no such key"}, "no such key", "operator"),
    ("server-rights", {"files": ServerFiles(("others can read keys/x.pem; chmod 600 x",))}, "chmod 600", "operator"),
    ("server-running", {"serving": False}, "does not run", "operator"),
    ("server-running", {"web": replace(PORT, state="silent")}, "these ports: web.", "operator"),
    ("server-web-port", {"web": replace(PORT, state="foreign")}, "Another program", "operator"),
    ("server-web-port", {"web": replace(PORT, state="silent")}, "hangs", "operator"),
    ("server-api-port", {"api": replace(PORT, state="foreign")}, "Another program", "operator"),
    ("server-api-port", {"api": replace(PORT, state="silent")}, "hangs", "operator"),
    ("server-api-port", {"api": replace(PORT, not_after=NOW + 13 * DAY)}, "browsers and programs", "operator"),
    ("server-api-port", {"api": replace(PORT, not_before=NOW + DAY)}, "browsers and programs", "operator"),
    ("server-api-port", {"settings": OWN, "own_problem": "Cannot read /etc/ssl/hq.key."}, "cannot be used", "operator"),
    ("server-running", {"api": replace(PORT, state="silent")}, "on these ports: api", "operator"),
    ("server-origin-port", {"origin": replace(PORT, state="refused")}, "refuses connections", "operator"),
    ("server-origin-port", {"serving": False, "origin": replace(PORT, state="silent")}, "Another program", "operator"),
    ("server-address", {"elsewhere": "it leads to 192.0.2.1"}, "PCs call this server patches", "network"),
    ("server-addresses", {"listed": at(replace(PORT, state="foreign"))}, "somebody else answers: b.ex", "network"),
    ("server-addresses", {"listed": at(replace(PORT, names_server=False))}, "does not name: b.ex", "operator"),
    ("server-tls", {"authority": AuthorityFacts("keys/ca is damaged.")}, "damaged", "operator"),
    ("server-tls", {"authority": AuthorityFacts(expires_at=NOW + 90 * DAY)}, "authority that signs", "operator"),
    ("server-tls", {"web": replace(PORT, not_after=NOW)}, "not now", "operator"),
    ("server-tls", {"web": replace(PORT, not_before=NOW + DAY)}, "not now", "operator"),
    ("server-tls", {"origin": replace(PORT, not_after=NOW + 13 * DAY)}, "was not renewed", "operator"),
    ("server-tls", {"origin": replace(PORT, names_server=False)}, "does not name", "operator"),
    ("server-clock", {"time": TimeFacts(True, NOW + 7_200, "the newest signature", 9)}, "2 hours later", "operator"),
    ("server-disk", {"disk": told("The disk is full.")}, "full", "operator"),
    ("server-disk", {"files": ServerFiles(free_bytes=1 << 20)}, "1.0 MB free", "operator"),
    ("server-database", {"database": DatabaseFacts("The database is damaged.")}, "damaged", "operator"),
    ("server-content", {"content": ContentFacts(2, (LackingFile(PatchRef("a", "1"), "gone"),))}, "a@1", "operator"),
    ("server-signatures", {"signatures": SignatureFacts("snapshot.json is damaged.")}, "damaged", "operator"),
    ("server-signatures", {"signatures": signed(timestamp=0.0)}, "timestamp metadata expired", "operator"),
    ("server-signatures", {"signatures": signed(snapshot=2.7 * DAY)}, "does not sign the snapshot", "operator"),
    (
        "server-signatures",
        {"signatures": SignatureFacts("", expiries(), LIFETIMES, tuple(told("The signed root metadata expires.")))},
        "root metadata",
        "operator",
    ),
    ("server-audit", {"audit": told("PCs have seen another audit log.", "And more.")}, "log. And more.", "operator"),
    ("server-rollouts", {"rollouts": told("Rollout 3 is not carried on.")}, "Rollout 3", "operator"),
    ("server-site-map", {"site_map": told("The site map cannot be used.")}, "site map", "operator"),
    ("server-pcs", {"pcs": told("No PC is connected.")}, "No PC", "operator"),
    ("server-lines", {"lines": told("Leasing pauses at sites: all.")}, "Leasing", "network"),
    ("server-time-zones", {"time": TimeFacts(True, 0.0, "", 0)}, "no data of any", "operator"),
    ("server-time-zones", {"time": TimeFacts(True, 0.0, "", 9, "Asia/Tokyo")}, "Asia/Tokyo", "operator"),
    ("server-backup", {"backup": BackupFacts(None, 3)}, "no backup of this server", "operator"),
    ("server-backup", {"backup": BackupFacts(LastBackup(NOW - 4 * DAY, "/mnt"), 3)}, "/mnt, is 4 days old", "operator"),
    ("server-backup", {"backup": BackupFacts(LastBackup(NOW, "/mnt", faults=2), 3)}, "here (2)", "operator"),
    ("server-intelligence", {"intelligence": told(OLD_KEV)}, "(KEV)", "operator"),
    ("server-sites", {"troubled": TROUBLED}, "(14 of 50 PCs).", "administrator"),
    ("server-provider", {"provider": ProviderFacts("login:443", False, False)}, "identity provider at", "network"),
    ("server-provider", {"provider": ProviderFacts("proxy:8080", True, False)}, "proxy", "network"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changed", "words", "mender"), WRONG)
def test_what_is_wrong_is_said_to_who_can_mend_it(
    code: ServerCode, changed: dict[str, Any], words: str, mender: Mending
) -> None:
    if code == "server-provider":
        changed = {"settings": ServerSettings(name="hq", address="patches.example.com", oidc=OIDC), **changed}
    finding = found(code, well(**changed))
    assert finding.verdict == "wrong"
    assert words in finding.observed
    assert finding.mender == mender
    assert finding.remedy


def test_every_check_can_be_wrong() -> None:
    assert {code for code, *_ in WRONG} == set(SERVER_CHECKS)


def test_while_the_server_is_off_its_signatures_may_be_old_and_its_ports_closed() -> None:
    closed = replace(PORT, state="refused")
    facts = well(serving=False, web=closed, origin=closed, signatures=signed(snapshot=2.7 * DAY))
    assert found("server-web-port", facts).verdict == "unknown"
    assert found("server-signatures", facts).verdict == "fine"


def test_a_clock_without_a_service_is_not_called_wrong() -> None:
    assert found("server-clock", well(time=TimeFacts(False, NOW, "a signature", 9))).verdict == "unknown"


def test_a_database_of_an_earlier_release_is_no_fault() -> None:
    assert found("server-database", well(database=DatabaseFacts(outdated=True))).verdict == "unknown"


def test_a_few_sites_that_pause_are_the_sites_matter() -> None:
    pause = [FleetProblem("Leasing pauses at sites: 1 of 50.", "seed-server sites", urgent=False)]
    assert found("server-lines", well(lines=pause)).verdict == "fine"


def test_no_backup_is_no_fault_while_there_is_nothing_to_lose_or_where_it_is_backed_up_otherwise() -> None:
    assert found("server-backup", well(backup=BackupFacts(None, 0))).verdict == "fine"
    otherwise = ServerSettings(name="hq", address="patches.example.com", backup_days=0)
    assert found("server-backup", well(settings=otherwise, backup=BackupFacts(None, 3))).verdict == "fine"


def test_an_address_at_which_nobody_answers_is_one_of_before_or_after_a_move() -> None:
    for state in ("refused", "silent"):
        finding = found("server-addresses", well(listed=at(replace(PORT, state=state))))
        assert (finding.verdict, "move --finish" in finding.observed) == ("unknown", True)
    assert found("server-addresses", well(listed=[])).verdict == "fine"


def test_an_address_behind_translation_is_not_judged() -> None:
    facts = well(settings=ServerSettings(name="hq", address="192.0.2.1", listen_address="10.0.0.1"), elsewhere="x")
    assert found("server-address", facts).verdict == "unknown"


def test_the_pages_port_may_be_off_and_its_own_certificate_is_to_be_renewed_where_it_lies() -> None:
    off = replace_settings(SETTINGS, api_port=0)
    assert found("server-api-port", well(settings=off, api=None)).verdict == "fine"
    ending = well(settings=OWN, api=replace(PORT, not_after=NOW + DAY))
    assert "/etc/ssl/hq.pem" in found("server-api-port", ending).remedy
    assert found("server-api-port", well(api=None)).verdict == "unknown"
