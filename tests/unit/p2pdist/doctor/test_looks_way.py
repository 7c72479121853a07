"""Faults on the way to the server, provoked with real sockets, are told from each other."""

import functools
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

from p2pdist.doctor import looks_way
from p2pdist.doctor.facts import DoctorFacts
from p2pdist.doctor.judgement import CHECKS
from p2pdist.doctor.looks_way import LookTimes
from p2pdist.local_api.doctor_answers import CheckCode, CheckFinding
from p2pdist.shared.clock import SystemClock
from tests.helpers.fake_clock import FakeClock
from tests.unit.p2pdist.doctor.enrolled import enrolled

SHORT = LookTimes(name=1.0, connect=0.3, answer=0.4, handshake=0.5)


@pytest.fixture
def authority(certificates: ModuleType) -> Any:
    return certificates.Authority("control")


@pytest.fixture
def silent() -> Iterator[int]:
    """Yield the port of a listener that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def refused() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def found(code: CheckCode, facts: DoctorFacts) -> CheckFinding:
    return CHECKS[code](facts)


async def seen_of_web(home: Path, authority: Any, port: int, clock: Any = None) -> DoctorFacts:
    clock = clock or SystemClock()
    identity = enrolled(home, authority, web_port=port)
    return DoctorFacts(clock.now(), web=await looks_way.look_at_web_port(identity, clock, SHORT))


async def test_a_server_that_proves_itself_is_fine(tmp_path: Path, certificates: ModuleType, authority: Any) -> None:
    with certificates.serving(authority, tmp_path) as port:
        facts = await seen_of_web(tmp_path, authority, port.port)
        assert port.requests == [("GET", "/v1/health")]
    for code in ("web-port", "server-certificate", "clock"):
        assert found(code, facts).verdict == "fine"


@pytest.mark.parametrize(("hours", "words"), [(3, "3 hours ahead of"), (-3, "3 hours behind")])
async def test_a_wrong_clock_is_found(
    tmp_path: Path, certificates: ModuleType, authority: Any, hours: int, words: str
) -> None:
    clock = FakeClock(SystemClock().now() + hours * 3_600)
    with certificates.serving(authority, tmp_path) as port:
        answer = found("clock", await seen_of_web(tmp_path, authority, port.port, clock))
    assert (answer.verdict, answer.mender) == ("wrong", "administrator")
    assert words in answer.observed


@pytest.mark.parametrize(("start_hours", "words"), [(-48, "has expired"), (48, "not yet valid")])
async def test_a_certificate_of_the_server_out_of_its_time_is_the_operators_where_the_clock_is_right(
    tmp_path: Path, certificates: ModuleType, authority: Any, start_hours: int, words: str
) -> None:
    start = datetime.now(UTC) + timedelta(hours=start_hours)
    with certificates.serving(authority, tmp_path, start=start) as port:
        facts = await seen_of_web(tmp_path, authority, port.port)
    answer = found("server-certificate", facts)
    assert (answer.verdict, answer.mender) == ("wrong", "operator")
    assert words in answer.observed
    assert found("clock", facts).verdict == "unknown", "who says so has not proven to be the server"


async def test_who_answers_in_the_servers_place_is_found(
    tmp_path: Path, certificates: ModuleType, authority: Any
) -> None:
    with certificates.serving(certificates.Authority("inspection"), tmp_path) as port:
        answer = found("server-certificate", await seen_of_web(tmp_path, authority, port.port))
    assert (answer.verdict, answer.mender) == ("wrong", "network")
    assert "from another authority" in answer.observed


async def test_a_certificate_for_another_address_is_found(
    tmp_path: Path, certificates: ModuleType, authority: Any
) -> None:
    with certificates.serving(authority, tmp_path, names=("seed.example",)) as port:
        answer = found("server-certificate", await seen_of_web(tmp_path, authority, port.port))
    assert (answer.verdict, answer.mender) == ("wrong", "operator")


async def test_a_closed_a_silent_and_a_foreign_web_port_are_told_from_each_other(
    tmp_path: Path, authority: Any, silent: int, refused: int
) -> None:
    async with answering(lambda stream: stream.send_all(b"SSH-2.0-OpenSSH\r\n")) as foreign:
        seen = {port: await seen_of_web(tmp_path, authority, port) for port in (refused, silent, foreign)}
    answers = {port: found("web-port", facts) for port, facts in seen.items()}
    assert "refuses connections" in answers[refused].observed
    assert (answers[silent].mender, answers[foreign].mender) == ("network", "operator")
    assert "does not answer: a firewall" in answers[silent].observed
    assert "Something else" in answers[foreign].observed


@asynccontextmanager
async def answering(answer: Callable[[trio.SocketStream], Any]) -> AsyncIterator[int]:
    """Serve what ``answer`` says to each connection; yield the port."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await answer(stream)
                await stream.receive_some(1_024)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(functools.partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def seen_of_origin(home: Path, authority: Any, port: int) -> DoctorFacts:
    identity = enrolled(home, authority, origin_port=port)
    return DoctorFacts(0.0, origin=await looks_way.look_at_origin_port(identity, SHORT))


async def test_a_closed_a_silent_and_a_foreign_origin_port_are_told_from_each_other(
    tmp_path: Path, authority: Any, silent: int, refused: int
) -> None:
    async with answering(lambda stream: stream.send_all(b"SSH-2.0-OpenSSH\r\n")) as foreign:
        seen = {port: await seen_of_origin(tmp_path, authority, port) for port in (refused, silent, foreign)}
    assert {port: facts.origin.state for port, facts in seen.items() if facts.origin} == {
        refused: "refused",
        silent: "silent",
        foreign: "foreign",
    }


def secured(context: ssl.SSLContext) -> Callable[[trio.SocketStream], Any]:
    async def answer(stream: trio.SocketStream) -> None:
        await trio.SSLStream(stream, context, server_side=True).do_handshake()

    return answer


async def test_an_origin_port_that_takes_this_pcs_certificate_is_fine(
    tmp_path: Path, certificates: ModuleType, authority: Any
) -> None:
    async with answering(secured(certificates.server_context(authority, tmp_path, "127.0.0.1"))) as port:
        facts = await seen_of_origin(tmp_path, authority, port)
    assert found("origin-port", facts).verdict == "fine"


async def test_a_name_that_leads_nowhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def knows_no_name(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", knows_no_name)
    name = await looks_way.look_at_name("seed.example", SHORT)
    assert name.problem == "Name or service not known"
    assert not name.addresses
    assert found("dns", DoctorFacts(0.0, name=name)).mender == "network"


async def test_a_resolver_that_does_not_answer_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_arguments: object, **_more: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio.socket, "getaddrinfo", hangs)
    name = await looks_way.look_at_name("seed.example", LookTimes(name=0.01))
    assert name.problem == "no answer in time"


@pytest.mark.parametrize(("address", "plain"), [("127.0.0.1", True), ("::1", True), ("localhost", False)])
async def test_an_address_needs_no_name(address: str, plain: bool) -> None:
    name = await looks_way.look_at_name(address, SHORT)
    assert name.is_address is plain
    assert found("dns", DoctorFacts(0.0, name=name)).verdict == "fine"
