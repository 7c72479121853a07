"""One examination of a PC: with a daemon and without, with a server and without, and it ends."""

import errno
import functools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import trio

from p2pdist.doctor import looks_pc
from p2pdist.doctor.examination import look
from p2pdist.doctor.judgement import judge
from p2pdist.doctor.looks_way import LookTimes
from p2pdist.identity.last_server import save_last_server
from p2pdist.local_api.doctor_answers import CheckFinding
from p2pdist.local_api.messages import LIMITER, PEERS, SERVER, STATUS
from p2pdist.local_api.server_answers import KnownServerAddress, ServerAnswer
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.server_address import ServerAddress
from tests.helpers.daemon_answers import LIMITER as AT_WORK
from tests.helpers.daemon_answers import enrolled_daemon
from tests.unit.p2pdist.doctor.enrolled import enrolled
from tests.unit.p2pdist.doctor.test_judgement import status

SHORT = LookTimes(name=1.0, connect=0.3, answer=0.4, handshake=0.5)


async def findings(home: Path, times: LookTimes = SHORT) -> dict[str, CheckFinding]:
    facts = await look(EndpointHome(home), SystemClock(), times)
    return {finding.code: finding for finding in judge(facts)}


def wrong(found: dict[str, CheckFinding]) -> set[str]:
    return {code for code, finding in found.items() if finding.verdict == "wrong"} - {"disk-space", "file-system"}


async def test_a_pc_that_is_not_enrolled(tmp_path: Path) -> None:
    assert wrong(await findings(tmp_path)) == {"enrolment"}


async def test_a_home_that_this_user_may_not_read_is_not_called_unenrolled(tmp_path: Path) -> None:
    EndpointHome(tmp_path).enrolment.mkdir(parents=True)  # cannot be read, by root neither
    found = await findings(tmp_path)
    assert found["enrolment"].verdict == "unknown"
    assert "cannot be read" in found["enrolment"].observed


async def test_an_enrolled_pc_without_a_daemon_whose_server_is_not_there(
    tmp_path: Path, certificates: ModuleType
) -> None:
    (tmp_path / "config.toml").write_text("lan_port = 0\n")
    enrolled(tmp_path, certificates.Authority("control"))
    found = await findings(tmp_path)
    assert wrong(found) == {"daemon", "web-port", "origin-port"}
    assert found["identity"].verdict == "unknown"


async def test_it_looks_where_the_server_answered_last(tmp_path: Path, certificates: ModuleType) -> None:
    (tmp_path / "config.toml").write_text("lan_port = 0\n")
    enrolled(tmp_path, certificates.Authority("control"))
    save_last_server(EndpointHome(tmp_path).last_server, ServerAddress("127.0.0.9", 1, 2))
    found = await findings(tmp_path)
    assert "127.0.0.9:1" in found["web-port"].observed
    assert "127.0.0.9:2" in found["origin-port"].observed


async def test_a_daemon_that_this_user_may_not_ask_is_not_called_stopped(
    tmp_path: Path, certificates: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(_connection: object, _path: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("p2pdist.local_api.socket._connect", denied)
    enrolled(tmp_path, certificates.Authority("control"))
    found = await findings(tmp_path)
    assert found["daemon"].verdict == "unknown"
    assert "belongs to another user" in found["daemon"].observed


async def test_what_the_daemon_knows_is_taken_from_it(tmp_path: Path, certificates: ModuleType) -> None:
    known = status(
        problems=["This PC's identity is used by pc7 too.", "Restart it."], problem_codes=["identity", "install"]
    )
    peers = json.dumps({"peers": []}).encode()
    said = {STATUS.name: msgspec.json.encode(known), PEERS.name: peers, LIMITER.name: msgspec.json.encode(AT_WORK)}
    place = KnownServerAddress("new.example", 8443, 7690, own=False, used=True, problem=None)
    said[SERVER.name] = msgspec.json.encode(ServerAnswer("hq", "connected", [place]))
    with enrolled_daemon(tmp_path, said) as asked:
        enrolled(tmp_path, certificates.Authority("control"), start=datetime.now(UTC) - timedelta(days=9))
        found = await findings(tmp_path)
    assert asked == [STATUS.name, PEERS.name, LIMITER.name, SERVER.name]
    assert "new.example" in found["known-addresses"].observed
    assert found["daemon"].verdict == "fine"
    assert {"identity", "certificate", "reported"} <= wrong(found)
    assert found["identity"].observed == "This PC's identity is used by pc7 too."
    assert found["vpn"].verdict == "fine"


async def test_a_disk_that_hangs_does_not_keep_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def hangs(_home: EndpointHome) -> None:
        trio.from_thread.run(released.wait, trio_token=token)

    monkeypatch.setattr(looks_pc, "look_at_home", hangs)
    found = await findings(tmp_path, LookTimes(disk=0.05))
    released.set()
    assert (found["rights"].verdict, found["rights"].observed) == (
        "unknown",
        "The home does not answer: its disk hangs.",
    )


async def test_an_examination_can_be_cancelled(tmp_path: Path, certificates: ModuleType) -> None:
    async def deaf(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(functools.partial(trio.serve_tcp, deaf, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        enrolled(tmp_path, certificates.Authority("control"), web_port=port, origin_port=port)
        with trio.move_on_after(0.1) as scope:
            await look(EndpointHome(tmp_path), SystemClock(), LookTimes())
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()
