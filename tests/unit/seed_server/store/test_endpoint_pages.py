"""`seed_server.store.endpoint_pages`: each enrolled PC that is meant is on one page, odd ones first."""

from typing import get_args

import pytest

from seed_server.fleet.coverage import Reached, reached
from seed_server.fleet.standing import StatusQuestion, wanted_of
from seed_server.store.database import Database
from seed_server.store.rows import ANY_FINDING, EndpointFilter, EndpointRow, Namesake, PcState, SeenRow, ServedPayload
from tests.helpers.large_fleet import endpoint_id
from tests.helpers.stored_fleet import store
from tests.helpers.varied_fleet import varied_fleet

FLEET = varied_fleet()
TWINS = ("Kiosk-ß", "kiosk-SS", "KIOSK-ss")  # one name, in any case


@pytest.fixture(scope="module")
def stored(lasting_database: Database) -> Database:
    store(lasting_database, FLEET)
    for number, name in enumerate(TWINS, 900):
        lasting_database.add_endpoint(endpoint_id(number), name, 1.0)
    lasting_database.set_denied(endpoint_id(900), True, pending=True)
    return lasting_database


def is_odd(row: EndpointRow) -> bool:
    return bool(row.shared_with or row.refuses or row.claimed_site or row.pending)


def state_of(row: EndpointRow, *, serving: bool) -> PcState:
    if row.denied:
        return "pending" if row.pending else "denied"
    if row.connected and serving:
        return "connected"
    return "away" if row.last_seen_at else "never_seen"


def pages(database: Database, wanted: EndpointFilter, size: int, *, odd_first: bool) -> list[EndpointRow]:
    rows: list[EndpointRow] = []
    after = None
    while page := database.endpoint_page(wanted, odd_first=odd_first, after=after, limit=size):
        assert len(page) <= size
        rows += [row for _, _, row in page]
        rank, number, last = page[-1]
        assert database.endpoint_name(number) == last.hostname
        after = rank, last.hostname, number
    return rows


@pytest.mark.parametrize("odd_first", [True, False])
@pytest.mark.parametrize("state", [None, *get_args(PcState)])
@pytest.mark.parametrize("site", [None, "leeds"])
@pytest.mark.parametrize("serving", [True, False])
def test_pages_have_each_pc_that_is_meant_once(
    stored: Database, state: PcState | None, site: str | None, *, serving: bool, odd_first: bool
) -> None:
    wanted = EndpointFilter(None if site is None else stored.site_number(site), state, serving=serving)
    meant = [
        row
        for row in stored.endpoints()
        if site in (None, row.site) and state in (None, state_of(row, serving=serving))
    ]
    if odd_first:
        meant.sort(key=lambda row: not is_odd(row))
    for size in (1, 7, 1000):
        rows = pages(stored, wanted, size, odd_first=odd_first)
        assert [row.hostname for row in rows] == [row.hostname for row in meant], "on both databases alike"
        assert {row.endpoint_id for row in rows} == {row.endpoint_id for row in meant}
    assert stored.endpoints_meant(wanted) == len(meant)


def test_some_are_odd_and_each_state_is_had_by_some(stored: Database) -> None:
    rows = stored.endpoints()
    assert {state_of(row, serving=True) for row in rows} == set(get_args(PcState))
    assert {is_odd(row) for row in rows} == {True, False}


def test_names_are_alike_in_any_case(stored: Database) -> None:
    alike = stored.namesakes()
    assert {name: {one.endpoint_id for one in some} for name, some in alike.items()} == {
        "kiosk-ss": {endpoint_id(number) for number in (900, 901, 902)}
    }
    assert Namesake(endpoint_id(900), denied=True, pending=True) in alike["kiosk-ss"]


def test_a_page_goes_on_behind_a_pc_whose_name_has_signs_of_all_kinds(database: Database) -> None:
    names = ["a", "B", "ä", "b c", "é", "日本", "'\"%_"]
    for number, name in enumerate(names):
        database.add_endpoint(endpoint_id(number), name, 1.0)
        database.save_seen({endpoint_id(number): SeenRow("hq", "192.0.2.1", "", connected=False, last_seen_at=1.0)})
    found = pages(database, EndpointFilter(), 1, odd_first=True)
    assert [row.hostname for row in found] == sorted(names)
    assert database.endpoint_name(10_000) is None


def names(database: Database, wanted: EndpointFilter) -> list[str]:
    rows = [row.hostname for _, _, row in database.endpoint_page(wanted)]
    assert database.endpoints_meant(wanted) == len(rows)
    return sorted(rows)


def test_pcs_are_chosen_by_tag_beginning_and_finding(database: Database) -> None:
    given = {"Till-1": ("till", "shop"), "till-2": ("tilly",), "desk_1": (), "desk%1": ("till",)}
    for number, (name, tags) in enumerate(given.items()):
        database.add_endpoint(endpoint_id(number), name, 1.0, tags)
    database.save_findings({endpoint_id(0): ["clock", "disk"], endpoint_id(1): ["disk"]})
    assert names(database, EndpointFilter(tag="till")) == ["Till-1", "desk%1"]
    for tag in ("til", "%", "_"):
        assert names(database, EndpointFilter(tag=tag)) == []
    assert names(database, EndpointFilter(begins="TILL")) == ["Till-1", "till-2"]
    assert names(database, EndpointFilter(begins="desk_")) == ["desk_1"], "no sign stands for another one"
    assert names(database, EndpointFilter(begins=endpoint_id(1)[:9].upper())) == ["till-2"]
    assert names(database, EndpointFilter(begins=f"{endpoint_id(1)}1")) == []
    assert names(database, EndpointFilter(finding="clock")) == ["Till-1"]
    assert names(database, EndpointFilter(finding=ANY_FINDING)) == ["Till-1", "till-2"]
    assert names(database, EndpointFilter(finding="disk", tag="shop", begins="t")) == ["Till-1"]


@pytest.mark.parametrize("patch", FLEET.patches[:2], ids=lambda patch: patch.patch_id)
@pytest.mark.parametrize("one", Reached)
def test_pcs_are_chosen_by_how_a_patch_is_on_them(stored: Database, one: Reached, patch: ServedPayload) -> None:
    reports = {report.endpoint_id: report for report in FLEET.of_patch(patch)}
    meant = [row for row in stored.endpoints() if not row.denied]
    meant = [row for row in meant if reached(row, reports.get(row.endpoint_id), serving=True) is one]
    (head,) = [head for head in stored.patch_heads() if head.ref == patch.ref]
    wanted = wanted_of(StatusQuestion(state=one.name.lower()), None, serving=True)
    found = stored.endpoint_page(EndpointFilter(patch=head.number, standing=wanted))
    assert {row.endpoint_id for _, _, row in found} == {row.endpoint_id for row in meant}
