"""`seed_server.fleet.standing`: whatever is asked, the pages together have each row that is meant once."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Announced, Reached, reached, shown
from seed_server.fleet.overview import FleetHead, fleet_head
from seed_server.fleet.standing import STATES, Cursor, PatchOnPc, StatusQuestion, parse_cursor, standing_page
from seed_server.settings.home import ServerHome
from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.database import Database
from seed_server.store.rows import EndpointRow, ReportRow
from tests.helpers.large_fleet import endpoint_id
from tests.helpers.stored_rows import all_reports
from tests.helpers.varied_fleet import PATCHES, varied_fleet

OFFERED = Announced(frozenset(PatchRef(f"p-{number}", "1") for number in range(PATCHES)))
NOWHERE = Context(ServerHome(Path("/nowhere")))
LACK = {Reached.UNDER_WAY, Reached.AWAY, Reached.FAILED, Reached.SILENT}

QUESTIONS = st.builds(
    StatusQuestion,
    patch=st.sampled_from(["", "p-1", "p-2@1"]),
    site=st.sampled_from(["", "leeds", "osaka"]),
    reason=st.sampled_from(["", "", "disk", "EXIT", "nobody says this"]),
    state=st.sampled_from(["", "", *STATES]),
    lacking=st.booleans(),
)


def head_of(database: Database, *, serving: bool = True) -> FleetHead:
    return fleet_head(database, OFFERED, database.patch_heads(), server_name="hq", serving=serving)


def all_rows(
    database: Database, question: StatusQuestion, size: int, *, serving: bool = True, most_patches: int = PATCHES
) -> list[PatchOnPc]:
    """Return the rows of all pages."""
    rows: list[PatchOnPc] = []
    head, after = head_of(database, serving=serving), question.after
    for _ in range(2_000):
        asked = StatusQuestion(**{**vars(question), "after": after})
        page = standing_page(NOWHERE, database, head, asked, size=size, most_patches=most_patches)
        rows += page.rows
        assert len(page.rows) <= size
        assert page.rows or page.unfinished_search or not page.after, "no page is empty without need"
        after = page.after
        if not after:
            return rows
    raise AssertionError("it never ends")


def meant(database: Database, question: StatusQuestion, *, serving: bool) -> set[tuple[str, str]]:
    """Return the patches and PCs that are meant, by a look at each."""
    reports = {(one.endpoint_id, one.patch_id): one for one in all_reports(database)}
    found = set()
    for row, number in itertools.product(database.endpoints(), range(PATCHES)):
        report = reports.get((row.endpoint_id, f"p-{number}"))
        if not row.denied and _is_meant(question, row, f"p-{number}", report, serving=serving):
            found.add((f"p-{number}", row.endpoint_id))
    return found


def _is_meant(
    question: StatusQuestion, row: EndpointRow, patch: str, report: ReportRow | None, *, serving: bool
) -> bool:
    one = reached(row, report, serving=serving)
    states = {one.name.lower(), *([shown(report.state, report.install)] if report else [])}
    # a class and a state of the file may have one name: "failed" is the class then, as the screens count it
    if question.state in {each.name.lower() for each in Reached}:
        states = {one.name.lower()}
    reasons = "" if report is None else f"{report.error}|{report.install_reason}".casefold()
    return (
        question.patch in ("", patch, f"{patch}@1")
        and question.site in ("", row.site)
        and question.reason.casefold() in reasons
        and question.state in ("", *states)
        and (not question.lacking or one in LACK)
        and (not question.reason or report is not None)
    )


@given(question=QUESTIONS, size=st.integers(1, 40), serving=st.booleans())
def test_pages_have_each_row_that_is_meant_once(
    varied: Database, question: StatusQuestion, size: int, *, serving: bool
) -> None:
    rows = all_rows(varied, question, max(size, 20), serving=serving)
    found = [(row.patch.patch_id, row.pc.endpoint_id) for row in rows]
    assert len(found) == len(set(found))
    assert set(found) == meant(varied, question, serving=serving)
    head = head_of(varied, serving=serving)
    page = standing_page(NOWHERE, varied, head, question, size=size)
    assert page.total in (None, len(found))
    assert page.total is not None or not question.patch, "of one patch they are always counted"
    known = {row.endpoint_id: row for row in varied.endpoints()}
    reports = {(one.endpoint_id, one.patch_id): one for one in all_reports(varied)}
    for row in page.rows:
        report = reports.get((row.pc.endpoint_id, row.patch.patch_id))
        assert row.reached is reached(known[row.pc.endpoint_id], report, serving=serving)


@pytest.mark.parametrize("size", [1, 3, 50])
def test_however_small_a_page_is_nothing_is_lost_between_two(varied: Database, size: int) -> None:
    for question in (
        StatusQuestion(lacking=True, site="leeds"),
        StatusQuestion(patch="p-1"),
        StatusQuestion(reason="disk"),
    ):
        rows = all_rows(varied, question, size)
        assert {(row.patch.patch_id, row.pc.endpoint_id) for row in rows} == meant(varied, question, serving=True)
        assert len(rows) == len(meant(varied, question, serving=True))


def test_who_lacks_a_patch_is_told_of_pcs_that_are_off_and_of_those_that_never_said_a_word(varied: Database) -> None:
    rows = all_rows(varied, StatusQuestion(patch="p-1", lacking=True), 20)
    silent = [row for row in rows if row.reached is Reached.SILENT]
    assert any(not row.pc.last_seen_at for row in silent), "never seen at all"
    assert any(row.pc.connected for row in silent)
    assert any(row.reached is Reached.AWAY for row in rows)
    assert rows[0].reached is Reached.FAILED, "what needs a person comes first"
    assert rows[-1].reached is Reached.SILENT


@pytest.mark.parametrize("text", ["x", "1-", "1-2", "1-2-3-4", "-1", "9" * 11, "1-2-99999999999", "1 ", "٣"])
def test_what_is_no_end_of_a_page_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no end of a page") as refused:
        parse_cursor(text)
    assert refused.value.kind is FaultKind.BAD_INPUT


@given(patch=st.integers(0, 2**31 - 1), rank=st.integers(0, 9), endpoint=st.integers(0, 2**31 - 1))
def test_the_end_of_a_page_is_understood_again(patch: int, rank: int, endpoint: int) -> None:
    assert parse_cursor(str(Cursor(patch))) == Cursor(patch)
    assert parse_cursor(str(Cursor(patch, rank, endpoint))) in (Cursor(patch, rank, endpoint), Cursor(patch))


def test_a_page_behind_a_patch_that_is_gone_is_refused(varied: Database) -> None:
    with pytest.raises(UserError, match="not shown any more"):
        standing_page(NOWHERE, varied, head_of(varied), StatusQuestion(lacking=True, after="999-0-1"), size=5)


@pytest.mark.parametrize(("pcs", "more"), [(MAX_PAGE_ROWS, False), (MAX_PAGE_ROWS + 1, True)])
def test_the_largest_page_says_whether_more_follows(tmp_path: Path, pcs: int, more: bool) -> None:
    with Database.create(tmp_path / "state.db") as database:
        with database.batch():
            database.add_patch(varied_fleet().patches[0])
            for number in range(pcs):
                database.add_endpoint(endpoint_id(number), f"pc-{number}", 1.0)
        page = standing_page(NOWHERE, database, head_of(database), StatusQuestion(lacking=True), size=MAX_PAGE_ROWS)
        assert (len(page.rows), bool(page.after)) == (MAX_PAGE_ROWS, more)


def test_a_page_searches_a_few_patches_and_says_where_it_stopped(
    varied: Database,
) -> None:
    question = StatusQuestion(lacking=True, site="leeds", state="silent")
    page = standing_page(NOWHERE, varied, head_of(varied), question, size=1_000, most_patches=1)
    assert page.unfinished_search
    assert {row.patch.patch_id for row in page.rows} == {"p-3"}
    rows = all_rows(varied, question, 1_000, most_patches=1)
    assert {(row.patch.patch_id, row.pc.endpoint_id) for row in rows} == meant(varied, question, serving=True)
