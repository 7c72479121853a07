"""`seed_server.fleet.intelligence_problems`: what became urgent is said until somebody acts; old files are said too."""

from pathlib import Path

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet import operations
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.intelligence_problems import MOST_MOVES_NAMED, MOVED_SECONDS, intelligence_problems
from seed_server.fleet.problems import FleetProblem, fleet_problems
from seed_server.fleet.rollout_queries import ring_template
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, Company
from tests.helpers.weak_company import FIRST, SECOND, import_epss, import_kev, publish


def problems(company: Company) -> list[FleetProblem]:
    return intelligence_problems(company.context, company.database, company.context.repository())


def test_nothing_is_wrong_where_nothing_was_imported(company: Company) -> None:
    assert problems(company) == []


def test_an_urgent_patch_is_said_until_its_rollout_begins(company: Company, tmp_path: Path) -> None:
    ref = publish(company, tmp_path, "acme", FIRST, offered=False)
    import_kev(company, tmp_path, FIRST)
    said = FleetProblem(
        "What is known of weaknesses has made patches more urgent: acme@1 (scheduled → out-of-cycle).",
        "seed-server priority acme@1 --why",
    )
    assert problems(company) == [said]
    counts = company.database.endpoint_counts()
    assert said in fleet_problems(company.context, counts, serving=False, at_work={}, database=company.database)
    company.clock.wall += 1.0
    rollouts.start_rollout(company.context, ADA, str(ref), ring_template("emergency"), note="exploited")
    assert problems(company) == []


def test_it_is_said_for_two_weeks_and_not_of_what_was_taken_back(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST)
    publish(company, tmp_path, "viewer", SECOND)
    import_kev(company, tmp_path, FIRST, SECOND)
    assert "acme@1 (scheduled → out-of-cycle), viewer@1" in problems(company)[0].text
    operations.withdraw(company.context, ADA, "acme", "crashes", OfflineKeys(company.context.home.offline_keys, None))
    (one,) = problems(company)
    assert "acme" not in one.text
    company.clock.wall += MOVED_SECONDS + 1.0
    assert not any("viewer" in one.text for one in problems(company))


def test_of_many_only_some_are_named(company: Company, tmp_path: Path) -> None:
    cves = [f"CVE-2026-{number}" for number in range(2_000, 2_000 + MOST_MOVES_NAMED + 1)]
    for cve in cves:
        publish(company, tmp_path, f"patch-{cve[-4:]}", cve)
    import_kev(company, tmp_path, *cves)
    (one,) = problems(company)
    assert one.text.count("scheduled → ") == MOST_MOVES_NAMED
    assert one.text.endswith(", ….")


def test_an_old_file_is_said_and_harms_nobody(company: Company, tmp_path: Path) -> None:
    import_kev(company, tmp_path, FIRST)
    import_epss(company, tmp_path, CVE_2026_1001=(0.1, 0.2))
    assert problems(company) == []
    company.clock.wall += 8 * DAY_SECONDS
    assert [(one.text, one.urgent) for one in problems(company)] == [
        ("What is known of likely exploitation (EPSS) is of 2027-01-14, 8 days ago.", False),
        ("What is known of exploited weaknesses (KEV) is of 2027-01-14, 8 days ago.", False),
    ]
