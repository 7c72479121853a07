"""`seed_server.store.missing_rows`: who lacks a patch, in pages, whether they have said a word of it or not."""

import itertools

import pytest

from p2pdist.shared.wire.messages import PatchReport
from seed_server.store.database import Database
from seed_server.store.report_rows import ALL_LACKING, LackingFilter, LackingPc
from seed_server.store.rows import SeenRow, ServedPayload

PCS = [f"{number:026}" for number in range(12)]
WHOLE = range(1, 20)


@pytest.fixture
def patch(database: Database) -> int:
    """Let a patch be there, and PCs: a third has it, a third has failed, and a third has said nothing."""
    database.add_patch(
        ServedPayload(
            patch_id="acme", version="1", title="", severity="high", cvss=None, file_name="file", sha256="cd" * 32,
            torrent_hash="ab" * 32, length_bytes=1, piece_length_bytes=1, piece_count=1, sequence=1, published_at=1.0,
        )
    )  # fmt: skip
    for pc in PCS:
        database.add_endpoint(pc, pc, 1.0)
    for number, pc in enumerate(PCS):
        if number % 3:
            report = PatchReport(
                patch_id="acme", version="1", state="verified" if number % 3 == 1 else "failed", progress=1.0,
                bytes_from_origin=0, bytes_from_peers=0, bytes_wasted=0, seconds=1.0, error="", install="",
            )  # fmt: skip
            database.save_reports({pc: [report]}, 2_000_000_000.0)
    database.save_seen({
        pc: SeenRow("leeds", "10.0.0.1", "p2pdist/1", connected=number % 2 == 0, last_seen_at=float(number))
        for number, pc in enumerate(PCS[:10])
    })  # fmt: skip
    database.set_denied(PCS[0], True)
    database.set_denied(PCS[5], True)
    (head,) = database.patch_heads()
    return head.number


def meant(pc: LackingPc, only: LackingFilter) -> bool:
    return (
        only.spoken in (None, bool(pc.state))
        and only.denied in (None, pc.denied)
        and only.connected in (None, pc.connected)
        and (only.seen_until is None or pc.last_seen_at <= only.seen_until)
    )


def test_pages_have_all_that_lack_it_in_the_order_of_their_enrolment(database: Database, patch: int) -> None:
    rows = database.lacking_page(patch)
    assert [row.endpoint_id for row in rows] == [pc for number, pc in enumerate(PCS) if number % 3 != 1]
    assert [row.state for row in rows] == ["", "failed"] * 4
    for limit in WHOLE:
        after, found = 0, list[LackingPc]()
        while page := database.lacking_page(patch, after=after, limit=limit):
            assert len(page) == min(limit, len(rows) - len(found))
            found += page
            after = page[-1].endpoint
        assert found == rows


def test_those_that_are_meant_are_chosen(database: Database, patch: int) -> None:
    rows = database.lacking_page(patch)
    either = (None, True, False)
    for spoken, denied, connected, seen in itertools.product(either, either, either, (None, 0.0, 5.0)):
        only = LackingFilter(spoken=spoken, denied=denied, connected=connected, seen_until=seen)
        wanted = [row for row in rows if meant(row, only)]
        for limit in (2, 20):
            assert database.lacking_page(patch, only=only, limit=limit) == wanted[:limit], only
    site = database.site_number("leeds")
    assert site is not None
    assert database.lacking_page(patch, site=site) == [row for row in rows if row.site == "leeds"]
    assert database.lacking_page(patch, site=site, only=ALL_LACKING, limit=3) == rows[:3]


def test_all_pcs_of_a_site_are_asked_about_several_patches_at_once(database: Database, patch: int) -> None:
    site = database.site_number("leeds")
    assert site is not None
    there = {row.number for row in database.ring_pcs() if row.site == "leeds"}
    assert database.pcs_at(site, most=10) == database.pcs_at(site, most=11) == there
    assert len(database.pcs_at(site, most=9) & there) == 9
    assert database.pcs_at(site + 100, most=9) == frozenset()
    database.add_patch(
        ServedPayload(
            patch_id="acme", version="2", title="", severity="high", cvss=None, file_name="file", sha256="ce" * 32,
            torrent_hash="ac" * 32, length_bytes=1, piece_length_bytes=1, piece_count=1, sequence=2, published_at=2.0,
        )
    )  # fmt: skip
    patches = [head.number for head in database.patch_heads()]
    either = (None, True, False)
    for spoken, denied, connected, seen in itertools.product(either, either, either, (None, 0.0, 5.0)):
        only = LackingFilter(spoken=spoken, denied=denied, connected=connected, seen_until=seen)
        each = {one: database.lacking_page(one, site=site, only=only) for one in patches}
        assert database.lacking_at(site, patches, only=only) == each
        later = {one: [row for row in rows if row.endpoint > 5] for one, rows in each.items()}
        assert database.lacking_at(site, patches, only=only, after=5) == later
    assert database.lacking_at(site, []) == {}
    assert database.lacking_at(site + 100, patches) == {one: [] for one in patches}
