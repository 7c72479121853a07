"""`seed_server.reporting.intelligence_operations`: all or nothing, newer or refused, and what it moves is said."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.roles import NO_RIGHTS
from seed_server.reporting import intelligence_operations
from seed_server.reporting.intelligence_operations import IMPORT_INTELLIGENCE, import_intelligence
from seed_server.reporting.intelligence_queries import read_cve, read_intelligence_state
from seed_server.store.audit_entry import AuditEntry, decode_entry
from seed_server.store.intelligence_records import IntelligenceSource
from tests.helpers.intelligence_texts import epss_text, kev_text, many_scores, written
from tests.helpers.rollout_company import ADA, Company
from tests.helpers.weak_company import FIRST, SECOND, add_pc, import_epss, import_kev, publish

SCORES = {FIRST: (0.001, 0.1), SECOND: (0.2, 0.95), "CVE-2026-9999": (0.5, 0.99)}


def entries(company: Company) -> list[AuditEntry]:
    found = [company.database.audit_entry(number) for number in range(company.database.audit_size())]
    decoded = [decode_entry(data) for data in found if data is not None]
    return [entry for entry in decoded if entry.operation == IMPORT_INTELLIGENCE]


def test_both_files_are_taken_over_with_one_entry(company: Company, tmp_path: Path) -> None:
    kev = written(tmp_path / "a", kev_text([FIRST]))
    epss = written(tmp_path / "b", epss_text(SCORES), packed=True)
    done = import_intelligence(company.context, ADA, [epss, kev])
    assert [(one.source.kind, one.source.rows, one.new, one.gone, one.before) for one in done.files] == [
        ("epss", 3, 3, 0, None),
        ("kev", 1, 1, 0, None),
    ]
    assert company.database.intelligence_sources() == {one.source.kind: one.source for one in done.files}
    (entry,) = entries(company)
    assert (entry.actor, entry.subject) == (ADA.who, "EPSS of 2027-01-14, KEV of 2027-01-14")
    assert entry.details["kev sha256"] == done.files[1].source.sha256
    assert (entry.details["epss rows"], "moved" in entry.details) == ("3", False)


def test_what_is_new_and_what_is_gone_is_counted(company: Company, tmp_path: Path) -> None:
    import_kev(company, tmp_path, FIRST, SECOND, day="2027-01-12")
    (file,) = import_kev(company, tmp_path, SECOND, "CVE-2026-1003", "CVE-2026-1004").files
    assert (file.new, file.gone) == (2, 1)
    assert file.before is not None
    assert file.before.rows == 2
    import_epss(company, tmp_path, CVE_2026_1001=(0.1, 0.2), CVE_2026_1002=(0.1, 0.2))
    (scores,) = import_epss(company, tmp_path, CVE_2026_1002=(0.3, 0.4), CVE_2027_0001=(0.1, 0.2)).files
    assert (scores.new, scores.gone) == (1, 1)


def test_a_wrong_file_beside_a_right_one_leaves_all_as_it_was(company: Company, tmp_path: Path) -> None:
    import_kev(company, tmp_path, FIRST, day="2027-01-12")
    before = company.database.intelligence_sources(), company.database.exploited_cves(), entries(company)
    right = written(tmp_path / "right", kev_text([SECOND]))
    for wrong in (
        written(tmp_path / "wrong", epss_text(SCORES) + b"x"),
        written(tmp_path / "older", epss_text(SCORES, day="2010-01-01")),
        written(tmp_path / "also-kev", kev_text([FIRST])),
        tmp_path / "missing",
    ):
        for paths in ([right, wrong], [wrong, right]):
            with pytest.raises(UserError) as caught:
                import_intelligence(company.context, ADA, paths)
            assert caught.value.kind is FaultKind.BAD_INPUT
    for paths in ([], [right] * 3):
        with pytest.raises(UserError, match="Give one file"):
            import_intelligence(company.context, ADA, paths)
    assert (company.database.intelligence_sources(), company.database.exploited_cves(), entries(company)) == before


def test_an_older_file_is_refused_unless_it_is_wanted(company: Company, tmp_path: Path) -> None:
    import_kev(company, tmp_path, FIRST)
    older = written(tmp_path / "older", kev_text([SECOND], day="2027-01-13"))
    with pytest.raises(UserError, match="is of 2027-01-13, and what is known is of 2027-01-14.*--older"):
        import_intelligence(company.context, ADA, [older])
    assert set(company.database.exploited_cves()) == {FIRST}
    import_intelligence(company.context, ADA, [older], older=True)
    assert set(company.database.exploited_cves()) == {SECOND}
    import_intelligence(company.context, ADA, [older])


def test_who_was_overtaken_is_told_and_changes_nothing(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "kev", kev_text([FIRST]))
    source = IntelligenceSource("kev", 1.0, 1.0, 0, "", "", "bob")
    moved = intelligence_operations._moved

    def meanwhile(*arguments: object) -> object:
        company.database.replace_exploited_cves(source, [])
        return moved(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intelligence_operations, "_moved", meanwhile)
    with pytest.raises(UserError, match="meanwhile") as caught:
        import_intelligence(company.context, ADA, [path])
    assert caught.value.kind is FaultKind.BUSY
    assert company.database.intelligence_sources() == {"kev": source}
    assert entries(company) == []


def test_a_new_entry_moves_what_is_published_at_once(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST, offered=False)
    publish(company, tmp_path, "viewer", SECOND)
    publish(company, tmp_path, "plain")
    add_pc(company, "web", "internet", "critical")
    done = import_kev(company, tmp_path, FIRST, day="2027-01-13")
    (one,) = done.moved
    assert (str(one.decision.facts.ref), one.before, one.decision.leaf.priority) == ("acme@1", "scheduled", "immediate")
    assert one.is_urgent
    assert one.step.command.startswith("seed-server rollout start acme@1 --template emergency")
    assert entries(company)[-1].details["moved"] == "acme@1 scheduled → immediate"
    (move,) = company.database.priority_moves(0.0)
    assert (str(move.ref), move.before, move.after, move.at) == (
        "acme@1",
        "scheduled",
        "immediate",
        company.clock.now(),
    )
    assert import_kev(company, tmp_path, FIRST, day="2027-01-13").moved == []
    back = import_kev(company, tmp_path, SECOND)
    assert [(str(one.decision.facts.ref), one.is_urgent) for one in back.moved] == [
        ("viewer@1", True),
        ("acme@1", False),
    ]
    assert [str(one.ref) for one in company.database.priority_moves(0.0)] == ["viewer@1"], "what was taken back is over"


def test_scores_move_it_too(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST, SECOND, cvss=5.0)
    add_pc(company, "web", "internet", "critical")
    (one,) = import_epss(company, tmp_path, CVE_2026_1002=(0.2, 0.95)).moved
    assert (one.before, one.decision.leaf.priority) == ("scheduled", "out-of-cycle")
    assert one.decision.by is not None
    assert one.decision.by.cve == SECOND


def test_it_needs_the_right_to_publish(company: Company, tmp_path: Path) -> None:
    path = written(tmp_path / "kev", kev_text([FIRST]))
    with pytest.raises(UserError) as caught:
        import_intelligence(company.context, replace(Actor.local_user("eve"), rights=NO_RIGHTS), [path])
    assert caught.value.kind is FaultKind.REFUSED
    assert company.database.intelligence_sources() == {}


def test_one_weakness_is_told_with_its_patches(company: Company, tmp_path: Path) -> None:
    ref = publish(company, tmp_path, "acme", FIRST)
    import_kev(company, tmp_path, FIRST)
    import_epss(company, tmp_path, CVE_2026_1001=(0.25, 0.5))
    one = read_cve(company.context, f" {FIRST.lower()} ")
    assert one.known.exploited is not None
    assert one.known.score == (0.25, 0.5)
    assert (one.known.exploited.name, list(one.patches)) == ("Acme Agent Weakness 1001", [ref])
    nothing = read_cve(company.context, SECOND)
    assert (nothing.known.exploited, nothing.known.score, list(nothing.patches)) == (None, None, [])
    with pytest.raises(UserError, match="is no CVE number"):
        read_cve(company.context, "CVE-1")
    state = read_intelligence_state(company.context)
    assert (set(state.sources), set(state.exploited)) == ({"kev", "epss"}, {FIRST})


@pytest.mark.slow
@pytest.mark.uncounted
def test_300_000_scores_are_in_within_ten_seconds(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "acme", FIRST)
    first = written(tmp_path / "first.gz", many_scores(300_000, "2027-01-13"), packed=True)
    second = written(tmp_path / "second.gz", many_scores(300_000), packed=True)
    for path, known in ((first, 0), (second, 300_000)):
        begun = time.perf_counter()
        (file,) = import_intelligence(company.context, ADA, [path]).files
        took = time.perf_counter() - begun
        assert (file.source.rows, file.new) == (300_000, 300_000 - known)
        assert took < 10.0, f"{took:.1f} s"
