"""A site's checks: of each, what makes it wrong, for how many PCs, and who mends it."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from seed_server.answers.doctor import Mending, SiteCode, SiteFinding
from seed_server.answers.site_findings import SITE_CHECKS, judge_site
from seed_server.fleet.site_looks import SiteFacts
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from seed_server.store.site_health import NO_PCS, Affected, SiteHealth

NOW = 1_800_000_000.0
SOME = Affected(14, ("pc-1", "pc-2", "pc-3", "pc-4"))
HEALTH = SiteHealth(50, 48, NOW, NO_PCS, NO_PCS, NO_PCS, "", NO_PCS, "", {"p2pdist 3": 48}, {})
LIMIT = SiteLimitRow("leeds", NOW, True, 48, 2, 10**6, 10**7, True, "idle", "the line is idle", {}, 0.0, 0.0)
FACTS = SiteFacts(
    NOW, "leeds", True, "p2pdist 3", "hq:8443, hq:7690", HEALTH, 900, LIMIT, wan_bytes=10**9, file_bytes=10**9
)


def of(**changed: Any) -> SiteFacts:
    return replace(FACTS, health=msgspec.structs.replace(HEALTH, **changed))


def says(code: str, some: Affected = SOME) -> SiteFacts:
    return of(findings={code: some})


def found(code: SiteCode, facts: SiteFacts) -> SiteFinding:
    return SITE_CHECKS[code](facts)


AWAY = of(connected=0, newest_seen=NOW - 7_200.0, releases={})
PAUSED = msgspec.structs.replace(LIMIT, harm=HarmPauseRow("calls broke up", NOW - 60, NOW + 600, 1, 4))
NARROW = msgspec.structs.replace(LIMIT, large_packets_lost=True)
WRONG: list[tuple[SiteCode, SiteFacts, str, Mending]] = [
    ("site-away", AWAY, "None of its 50 PCs", "network"),
    ("site-silent", of(silent=SOME), "14 of 50 PCs (pc-1, pc-2, pc-3, pc-4, …)", "administrator"),
    ("site-refusals", of(refusing=Affected(1, ("pc-1",)), refuses="It has expired."), "1 of 50 PCs (pc-1)", "operator"),
    ("site-clock", says("clock"), "14 of 50", "administrator"),
    ("site-clock", replace(FACTS, clock=Affected(30, ("pc-1",))), "30 of 50", "network"),
    ("site-identity", of(shared=SOME), "14 of 50", "administrator"),
    ("site-address", of(claiming=SOME, claimed="oslo"), "another site (oslo)", "operator"),
    ("site-packets", replace(FACTS, limit=NARROW), "vanish", "network"),
    ("site-packets", says("packets"), "14 of 50", "network"),
    ("site-line", replace(FACTS, limit=PAUSED), "calls broke up", "network"),
    ("site-sharing", replace(FACTS, wan_bytes=31 * 10**8), "3.1 times", "network"),
    ("site-neighbours", says("unheard"), "14 of 50", "network"),
    ("site-isolation", says("cut_off"), "14 of 50", "network"),
    ("site-lan-incoming", says("lan_incoming"), "14 of 50", "administrator"),
    ("site-vpn", says("vpn"), "14 of 50", "operator"),
    ("site-mdns", says("mdns"), "14 of 50", "administrator"),
    ("site-release", of(releases={"p2pdist 3": 40, "p2pdist 2": 8}), "8 of 50 PCs: p2pdist 2 (8)", "administrator"),
    ("site-disk", replace(FACTS, full=SOME), "14 of 50", "administrator"),
    ("site-reported", of(findings={"memory": Affected(1), "install": SOME}), "install: 14 of", "administrator"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "facts", "words", "mender"), WRONG)
def test_what_is_wrong_is_said_with_how_many_pcs_it_is_about(
    code: SiteCode, facts: SiteFacts, words: str, mender: Mending
) -> None:
    finding = found(code, facts)
    assert finding.verdict == "wrong"
    assert words in finding.observed
    assert finding.mender == mender
    assert finding.remedy


def test_every_check_can_be_wrong_and_none_is_at_a_site_that_is_well() -> None:
    assert {code for code, *_ in WRONG} == set(SITE_CHECKS)
    assert [(one.code, one.verdict) for one in judge_site(FACTS)] == [(code, "fine") for code in SITE_CHECKS]


def test_what_is_wrong_comes_first() -> None:
    facts = of(shared=SOME, findings={"install": SOME})
    assert [one.code for one in judge_site(facts)][:2] == ["site-identity", "site-reported"]


def test_of_a_server_that_is_off_nothing_is_said_of_now() -> None:
    off = replace(of(connected=0, releases={}), serving=False, limit=None, file_bytes=0)
    assert {one.verdict for one in judge_site(off)} == {"unknown", "fine"}
    assert found("site-mdns", off).verdict == "unknown"


def test_a_few_pcs_that_are_off_are_nobodys_fault() -> None:
    assert found("site-silent", of(silent=Affected(9, ("pc-1",)))).verdict == "fine"
    assert found("site-away", replace(AWAY, elsewhere=0)).verdict == "unknown"
    assert found("site-away", of(allowed=2, connected=0)).verdict == "unknown"
    assert found("site-away", of(allowed=0, connected=0)).verdict == "unknown"


def test_a_site_of_a_vpn_alone_is_as_it_should_be() -> None:
    assert found("site-vpn", says("vpn", Affected(48, ("pc-1",)))).verdict == "fine"


def test_of_little_it_is_not_judged_whether_pcs_share() -> None:
    assert found("site-sharing", replace(FACTS, file_bytes=1_000, wan_bytes=9_000)).verdict == "unknown"


def test_a_finding_stays_short_in_a_large_fleet() -> None:
    many = Affected(25_000, tuple(f"pc-{number}" for number in range(4)))
    health = msgspec.structs.replace(HEALTH, allowed=25_000, connected=25_000, silent=many, findings={"install": many})
    assert max(len(one.observed) for one in judge_site(replace(FACTS, health=health))) < 200
