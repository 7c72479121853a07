"""`seed_server.fleet.endpoint_pages` and `seed_server.fleet.paging`: PCs by pages and as a stream."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import (
    PCS_OF_A_PAGE,
    EndpointsQuestion,
    Namesakes,
    all_endpoints,
    read_endpoints,
)
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.rows import EndpointRow
from seed_server.store.serve_lock import serve_lock
from tests.helpers.stored_fleet import store
from tests.helpers.varied_fleet import PCS, varied_fleet


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    home = Context(ServerHome(tmp_path_factory.mktemp("home") / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=0.0)
    with home.database() as database:
        store(database, varied_fleet())
    return home


def all_pages(context: Context, question: EndpointsQuestion) -> list[EndpointRow]:
    rows: list[EndpointRow] = []
    while True:
        page = read_endpoints(context, question)
        assert page.server_name == "hq"
        rows += page.rows
        if not page.after:
            assert page.total == len(rows)
            return rows
        assert len(page.rows) == (question.size or PCS_OF_A_PAGE)
        question = replace(question, after=page.after)


@pytest.mark.parametrize("size", [0, 1, 13, PCS - 1, PCS, 1000])
def test_pages_have_each_pc_once(context: Context, size: int) -> None:
    rows = all_pages(context, EndpointsQuestion(size=size))
    assert len(rows) == len({row.endpoint_id for row in rows}) == PCS
    assert {row.hostname for row in rows[:3]} == {"pc-01", "pc-03", "pc-08"}, "something is odd about these"


@pytest.mark.parametrize("size", [1, 13, 1000])
def test_pages_by_when_pcs_were_seen_have_each_once(context: Context, size: int) -> None:
    question = EndpointsQuestion(size=size, by_seen=True)
    rows = all_pages(context, question)
    assert len({row.endpoint_id for row in rows}) == PCS
    assert [row.last_seen_at for row in rows] == sorted(row.last_seen_at for row in rows)
    assert [row for row, *_ in all_endpoints(context, replace(question, size=0), page_rows=7)] == rows


def test_an_end_of_a_page_in_another_order_is_none(context: Context) -> None:
    by_name, by_seen = EndpointsQuestion(size=1), EndpointsQuestion(size=1, by_seen=True)
    for one, other in ((by_name, by_seen), (by_seen, by_name)):
        with pytest.raises(UserError, match="another order") as refused:
            read_endpoints(context, replace(other, after=read_endpoints(context, one).after))
        assert refused.value.kind is FaultKind.BAD_INPUT


@pytest.mark.parametrize("page_rows", [1, 7, 70, 1000])
def test_the_stream_has_each_pc_once_by_name(context: Context, page_rows: int) -> None:
    found = list(all_endpoints(context, EndpointsQuestion(), page_rows=page_rows))
    assert [row.hostname for row, _, _ in found] == [f"pc-{number:02}" for number in range(PCS)]
    assert not any(connected for _, connected, _ in found), "no server serves"
    assert all(namesakes == [] for *_, namesakes in found)


def test_while_a_server_serves_pcs_are_connected(context: Context) -> None:
    assert read_endpoints(context, EndpointsQuestion(state="connected")).rows == []
    with serve_lock(context.home, timeout_seconds=0.0).held():
        connected = all_pages(context, EndpointsQuestion(state="connected"))
        leeds = all_pages(context, EndpointsQuestion("leeds", "connected"))
        assert connected
        assert {row.endpoint_id for row in leeds} == {row.endpoint_id for row in connected if row.site == "leeds"}
        streamed = all_endpoints(context, EndpointsQuestion("leeds"))
        assert {row.endpoint_id for row, here, _ in streamed if here} == {row.endpoint_id for row in leeds}


def test_a_pc_that_is_forgotten_midway_ends_no_stream(context: Context, tmp_path: Path) -> None:
    other = Context(ServerHome(tmp_path / "home"))
    initialise(other.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=0.0)
    with other.database() as database:
        store(database, varied_fleet())
        names = []
        for row, _, _ in all_endpoints(other, EndpointsQuestion(), page_rows=5):
            names.append(row.hostname)
            if len(names) == 5:
                database.forget_endpoint(row.endpoint_id)
    assert len(names) == PCS


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (EndpointsQuestion(site="leed"), "Did you mean 'leeds'?"),
        (EndpointsQuestion(after="x"), "is no end of a page"),
        (EndpointsQuestion(after="2-1"), "is no end of a page"),
        (EndpointsQuestion(after="1-9999"), "is not shown any more"),
    ],
)
def test_what_is_not_known_is_refused(context: Context, question: EndpointsQuestion, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_endpoints(context, question)
    assert said in caught.value.message
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_namesakes_are_others(context: Context) -> None:
    with context.database() as database:
        one, two = database.endpoints()[:2]
    alike = Namesakes.among([one, msgspec.structs.replace(two, hostname=one.hostname.upper())])
    assert [found.endpoint_id for found in alike.of(one)] == [two.endpoint_id]
    assert Namesakes().of(one) == []


def test_pcs_are_chosen_by_how_a_patch_is_on_them(context: Context) -> None:
    failed = all_pages(context, EndpointsQuestion(patch="p-1", patch_state="failed", size=3))
    assert failed
    lacking = all_pages(context, EndpointsQuestion(patch="p-1@1", lacking=True, size=50))
    assert {row.endpoint_id for row in failed} < {row.endpoint_id for row in lacking}
    with pytest.raises(UserError, match="No patch 'p-9' was published here") as caught:
        read_endpoints(context, EndpointsQuestion(patch="p-9"))
    assert caught.value.kind is FaultKind.BAD_INPUT
    for question in (EndpointsQuestion(patch_state="failed"), EndpointsQuestion(lacking=True)):
        with pytest.raises(UserError, match="Name the patch") as caught:
            read_endpoints(context, question)
        assert caught.value.kind is FaultKind.BAD_INPUT
