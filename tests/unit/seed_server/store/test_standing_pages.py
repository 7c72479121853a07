"""`seed_server.store.standing_pages`: every PC that is meant is on one page, whether it has said a word or not."""

import pytest

from seed_server.fleet.coverage import Reached, settled
from seed_server.fleet.overview import EVERYTHING, UNFINISHED, said_as
from seed_server.fleet.standing import RANKS
from seed_server.store.count_rows import PcStanding, StandingFilter
from seed_server.store.database import Database
from tests.helpers.stored_fleet import NOW, store
from tests.helpers.varied_fleet import varied_fleet

FLEET = varied_fleet()
ALL = frozenset(EVERYTHING)


@pytest.fixture(scope="module")
def stored(lasting_database: Database) -> Database:
    store(lasting_database, FLEET)
    return lasting_database


def pages(database: Database, patch: int, wanted: StandingFilter, size: int, *, ranked: bool) -> list[PcStanding]:
    rows: list[PcStanding] = []
    after = (-1, 0)
    while True:
        page = database.standing_page(patch, wanted, ranks=RANKS if ranked else (), after=after, limit=size)
        assert len(page) <= size
        if not page:
            return rows
        rows += [row for _, row in page]
        after = (page[-1][0], page[-1][1].endpoint)


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize(
    "wanted",
    [
        StandingFilter(),
        StandingFilter(ALL, silent=False),
        StandingFilter(frozenset()),
        StandingFilter(UNFINISHED, silent=False, connected=True),
        StandingFilter(UNFINISHED, silent=False, connected=False),
        StandingFilter(ALL - said_as(Reached.INSTALLED)),
    ],
)
@pytest.mark.parametrize("word", ["", "disk", "code 1"])
@pytest.mark.parametrize("site", [None, "leeds"])
def test_pages_have_each_pc_that_is_meant_once(
    stored: Database, wanted: StandingFilter, word: str, site: str | None, *, ranked: bool
) -> None:
    number = None if site is None else stored.site_number(site)
    reasons = stored.reasons_with(lambda reason: word in reason.casefold()) if word else None
    wanted = StandingFilter(wanted.said, wanted.silent and not word, wanted.connected, number, reasons)
    patch = next(head for head in stored.patch_heads() if head.patch_id == "p-1")
    said = {row.endpoint_id: row for row in stored.reports_on(patch.ref)}
    meant = set()
    for row in stored.endpoints():
        report = said.get(row.endpoint_id)
        said_words = "" if report is None else f"{report.error} {report.install_reason}".casefold()
        known = (
            wanted.silent if report is None else wanted.said is None or (report.state, report.install) in wanted.said
        )
        if (
            known
            and not row.denied
            and site in (None, row.site)
            and wanted.connected in (None, row.connected)
            and word in said_words
        ):
            meant.add(row.endpoint_id)
    for size in (1, 7, 1000):
        rows = pages(stored, patch.number, wanted, size, ranked=ranked)
        assert len(rows) == len(meant)
        assert {row.endpoint_id for row in rows} == meant
        if ranked:
            places = [_place(row) for row in rows]
            assert places == sorted(places), "what needs a person comes first"
        else:
            assert [row.endpoint for row in rows] == sorted(row.endpoint for row in rows)
    assert stored.standing_count(patch.number, wanted) == len(meant)


def _place(row: PcStanding) -> int:
    said = row.said
    return next((place for place, ones in enumerate(RANKS) if said in ones), len(RANKS))


def test_a_row_has_what_the_pc_said_and_where_it_is(stored: Database) -> None:
    patch = stored.patch_heads()[1]
    said = {row.endpoint_id: row for row in stored.reports_on(patch.ref)}
    known = {row.endpoint_id: row for row in stored.endpoints()}
    rows = pages(stored, patch.number, StandingFilter(), 1000, ranked=True)
    assert {row.said is None for row in rows} == {True, False}
    for row in rows:
        pc, report = known[row.endpoint_id], said.get(row.endpoint_id)
        assert (row.hostname, row.site, row.connected, row.last_seen_at) == (
            pc.hostname, pc.site, pc.connected, pc.last_seen_at,
        )  # fmt: skip
        if report is None:
            assert row.said is None
            continue
        assert row.said == (report.state, report.install)
        for name in ("progress", "bytes_from_origin", "bytes_from_peers", "bytes_wasted", "seconds", "error",
                     "install_reason", "install_output", "reported_at"):  # fmt: skip
            assert getattr(row, name) == getattr(report, name), name


def test_one_pc_is_shown_with_all_that_it_says(stored: Database) -> None:
    known = {row.endpoint_id: row for row in stored.endpoints()}
    for endpoint_id, row in known.items():
        pc, said = stored.standing_of(endpoint_id)
        assert (pc.endpoint_id, pc.hostname, pc.denied, pc.said) == (endpoint_id, row.hostname, row.denied, None)
        reports = {one.ref for one in FLEET.reports if one.endpoint_id == endpoint_id}
        assert {head.ref for head in stored.patch_heads() if head.number in said} == reports
        for one in said.values():
            assert one.endpoint_id == endpoint_id
            assert one.reported_at == NOW - 60.0
            assert settled(one.state, one.install) is settled(*(one.said or ("", "")))
