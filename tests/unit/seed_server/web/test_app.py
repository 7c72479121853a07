"""`seed_server.web.app`: a real HTTPS server with a real CA and database, asked by httpx."""

import contextlib
import json
import secrets
import zlib
from pathlib import Path

import msgpack
import pytest
import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.identity.store import endpoint_id_of_key, new_key
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.enrolment import (
    MAX_ENROLMENT_BODY_BYTES,
    Certificates,
    EnrolReply,
    EnrolRequest,
    decode_body,
    encode_body,
)
from seed_server.line.byte_budget import REQUEST_COST_BYTES, ByteBudgets
from seed_server.ports.gate import web_limits
from seed_server.web.app import TOO_MUCH_SECONDS
from seed_server.web.host import WebLimits
from seed_server.web.http11 import HttpTimes
from tests.helpers.web_harness import DEADLINE_SECONDS, SECRET, problem, running_web


async def test_token_buys_certificates_once(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now, tags=("branch-7", "kiosk"))
        key = new_key()
        response = await web.enrol(key)
        assert response.status_code == 200
        reply = decode_body(response.content, EnrolReply)
        assert reply.tags == ("branch-7", "kiosk")
        assert [row.tags for row in web.newcomers] == [reply.tags]
        assert (reply.endpoint_id, reply.server_name, reply.origin_port) == (endpoint_id_of_key(key), "hq", 7690)
        assert [row.endpoint_id for row in web.newcomers] == [reply.endpoint_id]
        again = await web.enrol(new_key())
        assert again.status_code == 403
        assert "used up" in problem(again)
        assert len(web.newcomers) == 1


async def test_expired_and_unknown_tokens_are_told_apart(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now - 1, now=web.now - 60)
        expired = await web.enrol(new_key())
        unknown = await web.enrol(new_key(), secret=bytes(16))
        assert (expired.status_code, unknown.status_code) == (403, 403)
        assert "expired" in problem(expired)
        assert "another server" in problem(unknown)
        assert web.newcomers == []


async def test_renewal_is_for_enrolled_keys_that_are_not_denied(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        key = new_key()
        stranger = await web.renew(key)
        assert stranger.status_code == 403
        assert "not enrolled" in problem(stranger)
        web.database.add_endpoint(endpoint_id_of_key(key), "pc-1", web.now)
        granted = await web.renew(key)
        assert granted.status_code == 200
        assert decode_body(granted.content, Certificates).swarm_certificate.startswith("-----BEGIN CERTIFICATE")
        web.database.set_denied(endpoint_id_of_key(key), denied=True)
        denied = await web.renew(key)
        assert denied.status_code == 403
        assert "denied" in problem(denied)


async def test_a_denied_key_cannot_enrol_its_way_back_and_spends_no_token(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        key = new_key()
        web.database.add_endpoint(endpoint_id_of_key(key), "pc-1", web.now)
        web.database.set_denied(endpoint_id_of_key(key), denied=True)
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
        assert (await web.enrol(key)).status_code == 403
        assert (await web.enrol(new_key())).status_code == 200


async def test_a_broken_request_spends_no_token(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
        broken = EnrolRequest(secret=SECRET.hex(), csr="-----BEGIN NONSENSE-----", hostname="pc")
        response = await web.client.post("/v1/enrol", content=encode_body(broken))
        assert response.status_code == 400
        assert (await web.enrol(new_key())).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="no json"),
        pytest.param(b'{"secret":1}', 400, id="wrong type"),
        pytest.param(b'{"csr":"x","extra":1}', 400, id="unknown field"),
        pytest.param(b"[" * 10_000, 400, id="deep nesting"),
        pytest.param(b"x" * (MAX_ENROLMENT_BODY_BYTES + 1), 413, id="oversized"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/enrol", "/v1/renew"])
async def test_malformed_bodies_get_an_answer_in_words(tmp_path: Path, path: str, body: bytes, status: int) -> None:
    async with running_web(tmp_path) as web:
        response = await web.client.post(path, content=body)
        assert response.status_code == status
        assert problem(response)
        assert (await web.client.get("/v1/health")).json() == {"status": "ok", "server": "hq"}


async def test_metadata_and_targets_are_files_and_nothing_else(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        (tmp_path / "metadata" / "timestamp.json").write_bytes(b"{}")
        (tmp_path / "targets" / "patches" / "abc.x@1.manifest").write_bytes(b"m")
        (tmp_path / "metadata" / "link.json").symlink_to(tmp_path / "state.db")
        (tmp_path / "metadata" / ".hidden").write_bytes(b"h")
        assert (await web.member.get("/tuf/metadata/timestamp.json")).content == b"{}"
        assert (await web.member.get("/tuf/targets/patches/abc.x@1.manifest")).content == b"m"
        for path in (
            "/tuf/metadata/2.root.json",
            "/tuf/metadata/link.json",
            "/tuf/metadata/.hidden",
            "/tuf/metadata/%2e%2e/state.db",
            "/tuf/metadata/..%2fstate.db",
            "/tuf/metadata/%2fetc/passwd",
            "/tuf/targets/patches",
            "/tuf/targets/",
            "/tuf/metadata/a%00b",
            "/tuf/metadata/" + "a" * 256,
            "/docs",
            "/openapi.json",
            "/v1/health/",
        ):
            assert (await web.member.get(path)).status_code == 404, path


async def test_news_are_for_enrolled_pcs_and_like_any_file(tmp_path: Path) -> None:
    spent: list[tuple[str, int]] = []
    budgets = ByteBudgets(on_spent=lambda endpoint, count: spent.append((endpoint, count)))
    async with running_web(tmp_path, budgets=budgets) as web:
        member = endpoint_id_of_key(web.member_key)
        assert (await web.member.get("/tuf/news/1/0")).status_code == 404, "nothing is published"
        spent.clear()
        timestamp = json.dumps({"more": secrets.token_hex(REQUEST_COST_BYTES)}).encode()  # hardly to be compressed
        (tmp_path / "metadata" / "1.root.json").write_bytes(b"{}")
        (tmp_path / "metadata" / "timestamp.json").write_bytes(timestamp)
        answer = await web.member.get("/tuf/news/1/0")
        assert msgpack.unpackb(zlib.decompress(answer.content))["files"] == {
            "metadata/2.root.json": None,
            "metadata/timestamp.json": timestamp,
        }
        assert {endpoint for endpoint, _ in spent} == {member}
        assert sum(count for _, count in spent) >= REQUEST_COST_BYTES + len(answer.content), "it counts"
        assert (await web.client.get("/tuf/news/1/0")).status_code == 403
        for path in ("1/-1", "1/x", "1", "1/" + 5_000 * "9"):
            assert (await web.member.get(f"/tuf/news/{path}")).status_code == 404


async def test_a_batch_of_targets_is_for_enrolled_pcs_and_like_any_file(tmp_path: Path) -> None:
    async with running_web(tmp_path, budgets=ByteBudgets(budget_bytes=5 * REQUEST_COST_BYTES // 2)) as web:
        for name in ("one", "other"):
            (tmp_path / "targets" / name).write_bytes(name.encode())
        answer = await web.member.get("/tuf/batch?target=one&target=none&target=other&target=../metadata/x")
        files = msgpack.unpackb(zlib.decompress(answer.content))["files"]
        assert files == {"targets/one": b"one", "targets/other": b"other"}
        assert (await web.client.get("/tuf/batch?target=one")).status_code == 403
        assert msgpack.unpackb(zlib.decompress((await web.member.get("/tuf/batch")).content))["files"] == {}
        assert (await web.member.get("/tuf/batch?target=one")).status_code == 429, "they count"


async def test_a_pc_that_has_had_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    budgets = ByteBudgets(budget_bytes=4 * REQUEST_COST_BYTES, rate=BytesPerSecond(1))
    async with running_web(tmp_path, budgets=budgets) as web:
        (tmp_path / "metadata" / "large.json").write_bytes(bytes(2 * REQUEST_COST_BYTES))
        assert (await web.member.get("/tuf/metadata/large.json")).status_code == 200
        began = trio.current_time()
        for path in ("large", "none"):
            refused = await web.member.get(f"/tuf/metadata/{path}.json")
            assert refused.status_code == 429
            assert "than any PC needs" in problem(refused)
        assert trio.current_time() - began >= 2 * TOO_MUCH_SECONDS
        async with web.http(web.context(web.enrolled())) as other:
            assert (await other.get("/tuf/metadata/large.json")).status_code == 200


async def test_ca_is_what_the_pin_is_checked_against(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        pem = (await web.client.get("/v1/ca")).text
        assert pem == (tmp_path / "ca" / "control-ca.crt.pem").read_text()


async def test_enrolment_that_fails_on_our_side_spends_no_token(tmp_path: Path) -> None:
    answers = ["{}"]

    def trusted_root() -> str:
        if answers:
            return answers.pop()
        raise UserError("The disk is broken.", FaultKind.STORAGE)

    async with running_web(tmp_path, trusted_root=trusted_root) as web:
        web.database.add_token(SECRET, uses=2, expires_at=web.now + 60, now=web.now)
        assert [(await web.enrol(new_key())).status_code for _ in range(2)] == [200, 503]
        answers.append("{}")
        assert (await web.enrol(new_key())).status_code == 200


async def test_guesses_of_one_pc_stop_neither_enrolments_nor_renewals_of_its_branch(tmp_path: Path) -> None:
    async with running_web(tmp_path) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
        key = web.enrolled()
        for n in range(1, 31):
            assert (await web.enrol(new_key(), secret=bytes([n] * 16))).status_code == 403
        assert (await web.enrol(new_key())).status_code == 200
        assert (await web.renew(key)).status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: \xff\r\nSec-WebSocket-Key: x\r\n\r\n",
            id="WebSocket extensions that are not text",
        ),
        pytest.param(bytes(range(256)), id="garbage"),
    ],
)
async def test_whatever_a_client_sends_only_its_connection_ends(tmp_path: Path, request_bytes: bytes) -> None:
    async with running_web(tmp_path, limits=WebLimits(times=HttpTimes(idle_seconds=0.2))) as web:
        stream = await web.connect()
        await stream.send_all(request_bytes)
        await trio.aclose_forcefully(stream)
        polite = await web.connect()
        await polite.send_all(request_bytes)
        with contextlib.suppress(trio.BrokenResourceError):
            while await polite.receive_some():
                pass
        await trio.aclose_forcefully(polite)
        assert (await web.client.get("/v1/health")).status_code == 200


async def test_client_that_does_not_read_cannot_hold_up_the_stop(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        async with running_web(tmp_path) as web:
            with (tmp_path / "targets/patches/large").open("wb") as file:
                file.truncate(64 << 20)  # more than both sides' socket buffers hold
            stream = await web.connect(web.context(web.member_key))
            await stream.send_all(b"GET /tuf/targets/patches/large HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(cushion=0.05)  # reading the next part takes far less
            late = await nursery.start(_close_after, stream, DEADLINE_SECONDS / 4)
        assert not late.is_set()
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


async def _close_after(
    stream: "trio.SSLStream[trio.SocketStream]", seconds: float, task_status: trio.TaskStatus[trio.Event]
) -> None:
    """Free a server that hangs, so that the test fails rather than hangs too."""
    late = trio.Event()
    task_status.started(late)
    await trio.sleep(seconds)
    late.set()
    await trio.aclose_forcefully(stream)


async def test_connections_are_bounded(tmp_path: Path) -> None:
    async with running_web(tmp_path, limits=WebLimits(connections=web_limits(1))) as web:
        with (tmp_path / "targets/patches/large").open("wb") as file:
            file.truncate(64 << 20)
        first = await web.connect(web.context(web.member_key))
        await first.send_all(b"GET /tuf/targets/patches/large HTTP/1.1\r\nHost: x\r\n\r\n")
        await first.receive_some(1)
        second = await web.connect()
        with pytest.raises(trio.BrokenResourceError):
            await second.do_handshake()
        await trio.aclose_forcefully(first)


async def test_error_of_our_own_is_answered_in_words(tmp_path: Path) -> None:
    def trusted_root() -> str:
        raise RuntimeError("a bug")

    async with running_web(tmp_path, trusted_root=trusted_root) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
        response = await web.enrol(new_key())
        assert response.status_code == 500
        assert "problem of its own" in problem(response)
