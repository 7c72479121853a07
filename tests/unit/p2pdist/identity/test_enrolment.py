"""Enrolment and renewal against a real HTTPS server, honest and not."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from msgspec.structs import replace

from p2pdist.identity import enrolment
from p2pdist.identity import store as identity_store
from p2pdist.identity.renewal import renew
from p2pdist.identity.server_change import own_address
from p2pdist.identity.store import Identity
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import endpoint_id_of_public_key
from p2pdist.shared.wire.enrolment import (
    Certificates,
    EnrolReply,
    EnrolRequest,
    Problem,
    RenewRequest,
    Token,
    TokenPlace,
    decode_body,
    decode_token,
    encode_body,
    encode_token,
)
from p2pdist.trust.http_answers import base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.roots import root_pin
from p2pdist.trust.tls_contexts import trusting_context

ADDRESS = "127.0.2.8"
SECRET = b"s" * 16


class Server:
    """What the seed server does for enrolment; a test changes ``changes`` or ``refusal`` to make it misbehave."""

    def __init__(self, certificates: ModuleType, tuf_simulator: ModuleType, port: Any, control: Any) -> None:
        self.control, self.swarm = control, certificates.Authority("swarm")
        self.root = tuf_simulator.RepositorySimulator().first_root.decode()
        self.port = port
        self.changes: dict[str, Any] = {}
        self.leaf: dict[str, Any] = {}
        self.foreign_key = False
        self.refusal: tuple[int, bytes] | None = None
        port.answers = {
            ("GET", "/v1/ca"): (200, control.pem.encode()),
            ("POST", "/v1/enrol"): self.enrol,
            ("POST", "/v1/renew"): self.renew,
        }

    @property
    def token(self) -> str:
        pin = root_pin(self.root.encode())
        return encode_token(
            Token(address=ADDRESS, web_port=self.port.port, ca_pin=self.control.pin, root_pin=pin, secret=SECRET)
        )

    def certificates(self, csr: str) -> tuple[str, Certificates]:
        public = x509.load_pem_x509_csr(csr.encode()).public_key()
        endpoint_id = endpoint_id_of_public_key(identity_store._public_der(_Holder(public)))  # type: ignore[arg-type]
        if self.foreign_key:
            public = ec.generate_private_key(ec.SECP256R1()).public_key()
        issued = Certificates(
            control_certificate=self.control.leaf(public, endpoint_id, **self.leaf),
            swarm_certificate=self.swarm.leaf(public, "*", **self.leaf),
            control_ca=self.control.pem,
            swarm_ca=self.swarm.pem,
        )
        changes = {name: value for name, value in self.changes.items() if name in Certificates.__struct_fields__}
        return endpoint_id, msgspec.structs.replace(issued, **changes)

    def enrol(self, body: bytes) -> tuple[int, bytes]:
        request = decode_body(body, EnrolRequest)
        assert bytes.fromhex(request.secret) == SECRET
        if self.refusal:
            return self.refusal
        endpoint_id, issued = self.certificates(request.csr)
        reply = EnrolReply(
            endpoint_id=endpoint_id, server_name="hq", origin_port=7690, certificates=issued, tuf_root=self.root
        )
        changes = {name: value for name, value in self.changes.items() if name in EnrolReply.__struct_fields__}
        return 200, encode_body(msgspec.structs.replace(reply, **changes))

    def renew(self, body: bytes) -> tuple[int, bytes]:
        return self.refusal or (200, encode_body(self.certificates(decode_body(body, RenewRequest).csr)[1]))


class _Holder:
    def __init__(self, public: Any) -> None:
        self.public_key = lambda: public


@pytest.fixture(scope="module")
def control(certificates: ModuleType) -> Any:
    return certificates.Authority("control")


@pytest.fixture
def serve(
    certificates: ModuleType, tuf_simulator: ModuleType, control: Any, tmp_path: Path
) -> Iterator[Callable[..., Server]]:
    """Return a maker of running servers."""
    opened: list[Any] = []

    def make(authority: Any = control, **leaf: Any) -> Server:
        names = leaf.pop("names", (ADDRESS,))
        port = certificates.WebPort(ADDRESS, certificates.server_context(authority, tmp_path, *names, **leaf))
        opened.append(port)
        return Server(certificates, tuf_simulator, port, control)

    yield make
    for port in opened:
        port.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


async def failure(home: Path, token: str, now: float | None = None) -> UserError:
    """Return the error of an enrolment that fails and leaves nothing that looks enrolled."""
    with pytest.raises(UserError) as caught:
        await enrolment.enrol(home, token, hostname="pc", now=now or time.time())
    assert not identity_store.is_enrolled(home)
    return caught.value


async def test_a_token_makes_a_member(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    identity = await enrolment.enrol(home, server.token, hostname="pc-1", now=time.time())
    assert identity_store.load_identity(home) == identity
    assert (identity.server_address, identity.web_port) == (ADDRESS, server.port.port)
    assert (identity.server_name, identity.origin_port) == ("hq", 7690)
    assert identity.tuf_root == server.root.encode()
    assert identity.tags == ()


async def test_tags_of_the_token_are_kept(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    server.changes = {"tags": ("branch-7", "kiosk")}
    await enrolment.enrol(home, server.token, hostname="pc-1", now=time.time())
    assert identity_store.load_identity(home).tags == ("branch-7", "kiosk")


async def test_an_enrolled_home_is_left_alone_unless_forced_and_keeps_its_key(
    serve: Callable[..., Server], home: Path
) -> None:
    server = serve()
    first = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    with pytest.raises(UserError) as caught:
        await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    assert "--force" in caught.value.message
    again = await enrolment.enrol(home, server.token, hostname="pc", now=time.time(), force=True)
    assert again.endpoint_id == first.endpoint_id
    assert again.control_certificate != first.control_certificate


async def test_a_copy_gets_an_identity_of_its_own_and_asks_again_with_the_same_new_key(
    serve: Callable[..., Server], home: Path
) -> None:
    server = serve()
    first = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    with pytest.raises(UserError, match="--force --new-key"):
        await enrolment.enrol(home, server.token, hostname="pc", now=time.time(), anew={"key"})
    server.refusal = (500, encode_body(Problem(error="The disk is full.")))
    with pytest.raises(UserError):
        await enrolment.enrol(home, server.token, hostname="pc", now=time.time(), force=True, anew={"key"})
    waiting = identity_store.load_or_create_next_key(home)
    assert identity_store.load_identity(home) == first
    server.refusal = None
    again = await enrolment.enrol(home, server.token, hostname="pc", now=time.time(), force=True, anew={"key"})
    assert again.endpoint_id == identity_store.endpoint_id_of_key(waiting) != first.endpoint_id
    assert identity_store.load_identity(home) == again


async def test_a_failed_forced_enrolment_keeps_the_old_identity(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    identity = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    server.refusal = (403, encode_body(Problem(error="no")))
    with pytest.raises(UserError):
        await enrolment.enrol(home, server.token, hostname="pc", now=time.time(), force=True)
    assert identity_store.load_identity(home) == identity


async def test_a_failed_enrolment_can_be_repeated(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    server.refusal = (403, encode_body(Problem(error="This token has expired.")))
    await failure(home, server.token)
    server.refusal = None
    assert (await enrolment.enrol(home, server.token, hostname="pc", now=time.time())).server_name == "hq"


@pytest.mark.parametrize("token", ["", "rubbish", "p2pd-", "p2pd-AAAA"])
async def test_a_malformed_token_is_refused_without_any_connection(home: Path, token: str) -> None:
    assert (await failure(home, token)).kind == FaultKind.BAD_INPUT


async def test_the_servers_refusal_is_shown_bounded_and_printable(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    server.refusal = (403, encode_body(Problem(error="This token\x1b[31m has been used." + "x" * 5_000)))
    error = await failure(home, server.token)
    assert error.kind == FaultKind.REFUSED
    assert "refused: This token?[31m has been used." in error.message
    assert len(error.message) < 600


async def test_a_server_that_fails_is_not_a_refusal(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    server.refusal = (500, encode_body(Problem(error="The disk is full.")))
    assert (await failure(home, server.token)).kind == FaultKind.FAILED


async def test_a_token_for_another_server_sends_no_secret(
    serve: Callable[..., Server], certificates: ModuleType, home: Path
) -> None:
    server = serve()
    pin = certificates.Authority("other").pin
    token = encode_token(
        Token(address=ADDRESS, web_port=server.port.port, ca_pin=pin, root_pin=bytes(32), secret=SECRET)
    )
    error = await failure(home, token)
    assert error.kind == FaultKind.REFUSED
    assert "not the one that this token is for" in error.message
    assert server.port.requests == [("GET", "/v1/ca")]


async def test_an_impostor_with_the_real_ca_certificate_gets_no_secret(
    serve: Callable[..., Server], certificates: ModuleType, home: Path
) -> None:
    """The CA's certificate is public: the man in the middle serves it, but has no key that it signed."""
    server = serve(certificates.Authority("impostor"))
    error = await failure(home, server.token)
    assert "not this PC's seed server" in error.message
    assert server.port.requests == [("GET", "/v1/ca")]


async def test_an_endpoint_cannot_play_the_server(serve: Callable[..., Server], home: Path) -> None:
    server = serve(usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert (await failure(home, server.token)).kind == FaultKind.REFUSED
    assert server.port.requests == [("GET", "/v1/ca")]


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        ({"names": ("127.0.2.9",)}, "another address"),
        ({"start": datetime.now(UTC) + timedelta(days=2)}, "Check this PC's clock"),
        ({"start": datetime.now(UTC) - timedelta(days=9)}, "expired"),
    ],
)
async def test_a_server_certificate_that_does_not_fit_is_explained(
    serve: Callable[..., Server], home: Path, leaf: dict[str, Any], words: str
) -> None:
    server = serve(**leaf)
    assert words in (await failure(home, server.token)).message


async def test_a_closed_port_is_named(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    token = server.token
    server.port.close()
    error = await failure(home, token)
    assert error.kind == FaultKind.UNREACHABLE
    assert f"Nothing listens on {ADDRESS}:{server.port.port}" in error.message


async def test_a_server_that_never_answers_is_named(
    serve: Callable[..., Server], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    server.port.answers[("GET", "/v1/ca")] = None
    monkeypatch.setattr(HttpsClient.__init__, "__kwdefaults__", {
        "local_address": None, "grace_seconds": 0.3, "min_bytes_per_second": 1024.0,
    })  # fmt: skip
    with trio.fail_after(10):
        assert (await failure(home, server.token)).kind == FaultKind.UNREACHABLE


async def test_another_program_on_the_port_is_not_a_seed_server(home: Path, control: Any) -> None:
    async def greet(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 mail ready\r\n")
        await stream.receive_some(1_000)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, greet, 0)
        port = listeners[0].socket.getsockname()[1]
        token = encode_token(
            Token(address="127.0.0.1", web_port=port, ca_pin=control.pin, root_pin=bytes(32), secret=SECRET)
        )
        error = await failure(home, token)
        nursery.cancel_scope.cancel()
    assert "does not answer like a seed server" in error.message


@pytest.mark.parametrize("ca", [(404, b"no"), (200, b"<html>"), (200, b"x" * (enrolment.MAX_CA_BYTES + 1))])
async def test_a_wrong_answer_for_the_authority_is_refused(
    serve: Callable[..., Server], home: Path, ca: tuple[int, bytes]
) -> None:
    server = serve()
    server.port.answers[("GET", "/v1/ca")] = ca
    assert (await failure(home, server.token)).kind == FaultKind.REFUSED


@pytest.mark.parametrize(
    "answer", [(200, b""), (200, b"{}"), (200, b"\xff"), (302, b""), (404, b"<html>"), (200, b" " * 70_000)]
)
async def test_a_wrong_answer_to_the_enrolment_is_refused(
    serve: Callable[..., Server], home: Path, answer: tuple[int, bytes]
) -> None:
    server = serve()
    server.refusal = answer
    error = await failure(home, server.token)
    assert error.kind == FaultKind.REFUSED
    assert "Check" in error.message


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint_id": "a" * 26},
        {"server_name": "\x1b[31m"},
        {"tuf_root": "{}"},
        {"tags": ("Kiosk",)},
        {"tags": ("k" * 41,)},
        {"tags": ("kiosk\n",)},
        {"tags": tuple(map(str, range(21)))},
        {"control_certificate": "no"},
        {"swarm_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)
async def test_a_reply_that_does_not_fit_is_refused(
    serve: Callable[..., Server], home: Path, changes: dict[str, Any]
) -> None:
    server = serve()
    server.changes = changes
    assert (await failure(home, server.token)).kind == FaultKind.REFUSED


async def test_certificates_for_another_key_or_of_another_authority_are_refused(
    serve: Callable[..., Server], certificates: ModuleType, home: Path
) -> None:
    server = serve()
    server.foreign_key = True
    assert "another key" in (await failure(home, server.token)).message
    server.foreign_key = False
    server.changes = {"control_ca": certificates.Authority("other").pem}
    assert "not the pinned one" in (await failure(home, server.token)).message
    server.changes = {"swarm_ca": certificates.Authority("other").pem}
    assert "not usable" in (await failure(home, server.token)).message


@pytest.mark.parametrize(("hours", "words"), [(-1, "not yet valid"), (25, "already expired")])
async def test_a_clock_far_off_is_named(serve: Callable[..., Server], home: Path, hours: int, words: str) -> None:
    server = serve()
    error = await failure(home, server.token, time.time() + hours * 3600)
    assert words in error.message
    assert "clock" in error.message


async def renewed(identity: Identity) -> Identity:
    async with HttpsClient(trusting_context(identity.control_ca)) as http:
        return await renew(identity, time.time(), http, own_address(identity).url)


async def test_renewal_stores_new_certificates_for_the_same_key(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    old = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    server.leaf = {"life": timedelta(hours=48)}
    new = await renewed(old)
    assert new.key == old.key
    assert new.not_after > old.not_after
    assert identity_store.load_identity(home) == new


async def test_a_refused_renewal_keeps_the_identity(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    old = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    server.refusal = (403, encode_body(Problem(error="This endpoint is denied.")))
    with pytest.raises(UserError) as caught:
        await renewed(old)
    assert caught.value.kind == FaultKind.REFUSED
    assert identity_store.load_identity(home) == old


async def test_a_renewal_for_another_key_is_refused(serve: Callable[..., Server], home: Path) -> None:
    server = serve()
    old = await enrolment.enrol(home, server.token, hostname="pc", now=time.time())
    server.foreign_key = True
    with pytest.raises(UserError) as caught:
        await renewed(old)
    assert "another key" in caught.value.message
    assert identity_store.load_identity(home) == old


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert base_url("::1", 1) == "https://[::1]:1"
    assert base_url("127.0.0.1", 1) == "https://127.0.0.1:1"
    assert base_url("patch.example", 1) == "https://patch.example:1"


async def test_a_server_that_moves_is_found_at_the_other_address_of_the_token(
    serve: Callable[..., Server], home: Path
) -> None:
    server = serve()
    there = decode_token(server.token)
    nowhere = replace(there, address="127.0.0.1", web_port=1, others=(TokenPlace(there.address, there.web_port),))
    identity = await enrolment.enrol(home, encode_token(nowhere), hostname="pc", now=time.time())
    assert (identity.server_address, identity.web_port) == (there.address, there.web_port)
    alone = replace(nowhere, others=(TokenPlace("127.0.0.1", 2),))
    with pytest.raises(UserError, match="127.0.0.1:1"):
        await enrolment.enrol(home, encode_token(alone), hostname="pc", now=time.time(), force=True)
