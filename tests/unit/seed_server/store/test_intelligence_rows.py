"""`seed_server.store.intelligence_rows` on both databases: a file takes the place of the one before, as a whole."""

import time

import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.store.database import Database
from seed_server.store.intelligence_records import ExploitedCve, IntelligenceSource, PriorityMove, SaidCounts
from seed_server.store.rows import ServedPayload
from seed_server.store.score_blocks import BLOCK_SCORES, ExploitScore, packed_score
from seed_server.store.tables import said_code
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

KEV = IntelligenceSource("kev", 5.0, 6.0, 2, "2027.01.14", "ab" * 32, "local:ada")
EPSS = IntelligenceSource("epss", 7.0, 8.0, 3, "v4", "cd" * 32, "local:ada")
FIRST = ExploitedCve("CVE-2026-1001", "Acme 字", 10.0, 20.0, True, "Patch.")
SECOND = ExploitedCve("CVE-2026-1002", "", 11.0, None, False, "")


def rows(*numbers: int, year: int = 2026) -> list[bytes]:
    return sorted(packed_score(year, number, 0.25, 0.5) for number in numbers)


def test_nothing_is_known_at_first(database: Database) -> None:
    assert database.intelligence_sources() == {}
    assert database.exploited_cves() == database.exploited_cves(["CVE-2026-1001"]) == {}
    assert database.exploit_scores(["CVE-2026-1001"]) == database.exploit_scores([]) == {}
    assert database.priority_moves(0.0) == []


def test_a_catalogue_takes_the_place_of_the_one_before(database: Database) -> None:
    database.replace_exploited_cves(KEV, [FIRST, SECOND])
    assert list(database.exploited_cves().values()) == [SECOND, FIRST], "the newest first"
    assert database.exploited_cves(["CVE-2026-1001", "CVE-2026-9999"]) == {"CVE-2026-1001": FIRST}
    newer = KEV._replace(dated_at=9.0, rows=1)
    database.replace_exploited_cves(newer, [SECOND])
    assert database.exploited_cves() == {"CVE-2026-1002": SECOND}
    assert database.intelligence_sources() == {"kev": newer}


def test_scores_take_the_place_of_those_before_and_those_in_both_are_counted(database: Database) -> None:
    many = rows(*range(1_000, 1_000 + 2 * BLOCK_SCORES + 10))
    assert database.replace_exploit_scores(EPSS, many) == 0
    ends = [1_000, 1_000 + BLOCK_SCORES - 1, 1_000 + BLOCK_SCORES, 1_000 + 2 * BLOCK_SCORES + 9]
    asked = [f"CVE-2026-{number}" for number in (*ends, 999_999)] + ["CVE-2025-1000", "CVE-2027-1000", "CVE-1999-0001"]
    assert database.exploit_scores(asked) == {f"CVE-2026-{number}": ExploitScore(0.25, 0.5) for number in ends}
    assert database.replace_exploit_scores(EPSS._replace(dated_at=9.0), rows(1_000, 1_001) + rows(5, year=2027)) == 2
    assert set(database.exploit_scores([*asked, "CVE-2026-1001", "CVE-2027-0005"])) == {
        "CVE-2026-1000",
        "CVE-2026-1001",
        "CVE-2027-0005",
    }
    assert database.intelligence_sources()["epss"].dated_at == 9.0


def test_what_is_cut_off_leaves_what_was_known(database: Database) -> None:
    database.replace_exploited_cves(KEV, [FIRST])
    database.replace_exploit_scores(EPSS, rows(1_001))

    def import_and_fail() -> None:
        with database.batch():
            database.replace_exploited_cves(KEV._replace(dated_at=9.0), [])
            database.replace_exploit_scores(EPSS._replace(dated_at=9.0), [])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        import_and_fail()
    assert database.intelligence_sources() == {"kev": KEV, "epss": EPSS}
    assert database.exploited_cves() == {"CVE-2026-1001": FIRST}
    assert database.exploit_scores(["CVE-2026-1001"]) != {}


def add_patch(database: Database, name: str) -> PatchRef:
    database.add_patch(
        ServedPayload(
            patch_id=name, version="1", title="", severity="high", cvss=None, file_name="file", sha256="cd" * 32,
            length_bytes=1, torrent_hash=name[0] * 64, piece_length_bytes=262_144, piece_count=1, sequence=1,
            published_at=5.0,
        )
    )  # fmt: skip
    return PatchRef(name, "1")


def test_moves_are_of_patches_that_are_there_and_the_last_one_counts(database: Database) -> None:
    acme, office = add_patch(database, "acme"), add_patch(database, "office")
    moves = [PriorityMove(acme, 5.0, "defer", "scheduled"), PriorityMove(PatchRef("x", "1"), 5.0, "defer", "scheduled")]
    database.save_priority_moves(moves)
    later = [PriorityMove(acme, 6.0, "scheduled", "immediate"), PriorityMove(office, 7.0, "defer", "scheduled")]
    database.save_priority_moves(later)
    assert database.priority_moves(0.0) == later[::-1]
    assert database.priority_moves(6.5) == later[1:]
    database.remove_patch("office", "1")
    assert database.priority_moves(0.0) == later[:1]
    database.save_priority_moves([], [PatchRef("x", "1"), acme])
    assert database.priority_moves(0.0) == []


def say(database: Database, pc: str, patch_id: str, state: PatchState, install: InstallState) -> None:
    report = PatchReport(
        patch_id=patch_id, version="1", state=state, progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=0, seconds=1.0, error="", install=install,
    )  # fmt: skip
    database.save_reports({pc: [report]}, 2_000_000_000.0)


def test_what_pcs_say_of_patches_is_told_as_counts_and_as_sets(database: Database) -> None:
    acme, office, other = (add_patch(database, name) for name in ("acme", "office", "third"))
    pcs = [f"{number:026}" for number in range(5)]
    for pc in pcs:
        database.add_endpoint(pc, pc, 1.0)
    numbers = {pc.endpoint_id: pc.number for pc in database.inventoried_pcs()}
    say(database, pcs[0], "acme", "verified", "not_applicable")
    say(database, pcs[1], "acme", "verified", "not_applicable")
    say(database, pcs[2], "acme", "verified", "installed")
    say(database, pcs[3], "acme", "fetching", "")
    say(database, pcs[4], "acme", "verified", "installed")
    say(database, pcs[0], "office", "verified", "installed")
    not_for_them, done = {said_code("verified", "not_applicable")}, {said_code("verified", "installed")}

    def bits(*names: str) -> int:
        return sum(1 << numbers[name] for name in names)

    refs = [acme, office, other, PatchRef("x", "1")]
    assert database.spoken_counts(refs, not_for_them, done) == {
        acme: SaidCounts(2, 2), office: SaidCounts(0, 1), other: SaidCounts(0, 0),
    }  # fmt: skip
    assert database.pcs_saying(refs, not_for_them) == {acme: bits(pcs[0], pcs[1]), office: 0, other: 0}
    assert database.pcs_saying(refs, done) == {acme: bits(pcs[2], pcs[4]), office: bits(pcs[0]), other: 0}
    assert set(database.spoken_counts([office], not_for_them, done)) == {office}
    assert database.spoken_counts([], not_for_them, done) == {}
    assert database.pcs_saying([], done) == {}
    database.set_denied(pcs[1], True)
    assert database.spoken_counts([acme], not_for_them, done) == {acme: SaidCounts(1, 2)}, "it is asked no more"
    assert database.pcs_saying([acme], not_for_them) == {acme: bits(pcs[0], pcs[1])}


MOST_WRITING_SECONDS = 4.0  # others wait five for the one writer; alone it takes a tenth of a second


@pytest.mark.uncounted
def test_nobody_waits_long_for_the_writer_while_300_000_scores_are_exchanged(database: Database) -> None:
    before = sorted(packed_score(2000 + at % 27, 1_000 + at, 0.1, 0.2) for at in range(300_000))
    now = sorted(packed_score(2000 + at % 27, 1_000 + at, 0.2, 0.3) for at in range(1, 300_001))
    database.replace_exploit_scores(EPSS, before)
    begun = time.perf_counter()
    assert database.replace_exploit_scores(EPSS, now) == 299_999
    took = time.perf_counter() - begun
    assert took < MOST_WRITING_SECONDS, f"{took:.2f} s"
