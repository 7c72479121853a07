"""A seed server that somebody has taken over: all its online keys and its authority are his, the offline keys are not.

The server is a real one: its home, its web port, and tokens from `seed-server token`.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio

from p2pdist.identity import enrolment
from p2pdist.identity import store as identity_store
from p2pdist.identity.store import Identity, control_ssl_context
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry, Rollouts
from p2pdist.shared.manifest.recipe import FileCheck, ScriptInstall
from p2pdist.shared.wire.enrolment import encode_token
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.http_answers import base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.store import TrustError, TrustStore
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import SiteRate
from seed_server.ports.listening import listen_sockets
from seed_server.ports.server_tls import ServerTls
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import create_signing_key, key_path
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES
from seed_server.store.database import Database
from seed_server.store.trust_news import TrustNewsReader
from seed_server.web.app import WebPort, make_app
from seed_server.web.host import serve_web
from tests.helpers.web_harness import FAST_LINE, line_of

# the web port is the default one: an address of its own for each process that shares the suite
ADDRESS = f"127.0.63.{3 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}"
SETTINGS = ServerSettings(name="hq", address=ADDRESS)
OPERATOR = Actor.local_user("operator")


class SeedServer:
    """A real server's home."""

    def __init__(self, directory: Path) -> None:
        self.home = ServerHome(directory)
        initialise(self.home, SETTINGS, passphrase=None, now=time.time())
        self.context = Context(self.home)

    def token(self, uses: int = 1) -> str:
        return encode_token(operations.make_token(self.context, OPERATOR, uses=uses, seconds=600).token)

    def take_over(self) -> None:
        """Put a repository with other offline keys in the place of the signed one, and publish a root shell in it."""
        shutil.rmtree(self.home.root / "tuf")
        thief = ServerHome(self.home.root / "thief")
        keys = {role: create_signing_key(key_path(thief.offline_keys, role), None) for role in OFFLINE_KEYS}
        for role in ONLINE_ROLES:
            key_path(self.home.online_keys, role).unlink()
            keys[role] = create_signing_key(key_path(self.home.online_keys, role), None)
        repository = Repository.create(self.home, SETTINGS, keys, time.time())
        digest = "e" * 64
        payload = Payload(file_name="evil.sh", length_bytes=1, sha256=digest, torrent_hash=digest)
        manifest = Manifest(
            format=1, patch_id="evil", version="1", title="", severity="critical", cvss=None, published_at=0,
            payloads=[payload], install=ScriptInstall(interpreter="sh"), detect=(FileCheck(path="/evil"),),
        )  # fmt: skip
        rollouts = Rollouts(format=1, entries=[RolloutEntry(patch_id="evil", version="1", sequence=1)])
        repository.publish_patch(manifest, [b"torrent"], rollouts, patches_key=keys["patches"], now=time.time())
        with closing(sqlite3.connect(self.home.database)) as database, database:
            database.execute("UPDATE servers SET root_pin = ''")  # who has the server has that too

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        authority, now = CertificateAuthority.open(self.home.ca), time.time()
        tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([ADDRESS], now))
        with Database.open(self.home.database) as database:
            decisions = EnrolmentDecisions(
                server_name=SETTINGS.name,
                origin_port=SETTINGS.origin_port,
                authority=authority,
                database=database,
                trusted_root=Repository.open(self.home, SETTINGS).trusted_root,
            )
            line = line_of(SiteRate(FAST_LINE, 0.0), OtherTraffic())
            metadata, targets = self.home.tuf_metadata, self.home.tuf_targets
            port = WebPort(decisions, metadata, targets, line, TrustNewsReader(metadata, targets))
            sockets = listen_sockets([ADDRESS], SETTINGS.web_port, purpose="web port")
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_web, make_app(port, SystemClock()), sockets, tls.web, SystemClock())
                yield
                nursery.cancel_scope.cancel()


@pytest.fixture
def server(tmp_path: Path) -> SeedServer:
    return SeedServer(tmp_path / "server")


async def catalogue(identity: Identity) -> Catalogue:
    """Return what the PC accepts from the server."""
    url = base_url(identity.server_address, identity.web_port)
    async with HttpsClient(control_ssl_context(identity)) as http:
        store = TrustStore(identity.home / "trust", base_url=url, root=identity.tuf_root, http=http)
        return await store.refresh(time.time())


async def enrol(home: Path, token: str, **options: object) -> Identity:
    return await enrolment.enrol(home, token, hostname="pc", now=time.time(), **options)  # type: ignore[arg-type]


async def refusal(home: Path, token: str, **options: bool | bytes) -> str:
    with pytest.raises(UserError) as caught:
        await enrol(home, token, **options)
    assert caught.value.kind == FaultKind.REFUSED
    return caught.value.message


async def test_a_pc_that_enrols_afterwards_with_a_token_from_before_refuses_the_thief_s_root(
    server: SeedServer, tmp_path: Path
) -> None:
    token = server.token()
    server.take_over()
    async with server.serving():
        assert "another trust root" in await refusal(tmp_path / "pc", token)
    assert not identity_store.is_enrolled(tmp_path / "pc")


async def test_a_token_of_the_thief_s_is_refused_by_a_pc_that_knows_the_pin_otherwise(
    server: SeedServer, tmp_path: Path
) -> None:
    pin = server.context.repository().root_pin()
    server.take_over()
    async with server.serving():
        message = await refusal(tmp_path / "pc", server.token(), root_pin=pin)
    assert pin.hex() in message
    assert not identity_store.is_enrolled(tmp_path / "pc")


async def test_enrolling_again_with_the_thief_s_token_keeps_the_trust_root(server: SeedServer, tmp_path: Path) -> None:
    """The thief tells the PC's user to enrol again, for example by ending its certificates."""
    async with server.serving():
        before = await enrol(tmp_path / "pc", server.token())
        assert (await catalogue(before)).patches == ()
    server.take_over()
    async with server.serving():
        assert "--new-root" in await refusal(tmp_path / "pc", server.token(), force=True)
        assert identity_store.load_identity(tmp_path / "pc") == before
        with pytest.raises(TrustError):
            await catalogue(before)


async def test_a_server_that_was_really_set_up_anew_needs_the_operator_s_word(
    server: SeedServer, tmp_path: Path
) -> None:
    async with server.serving():
        before = await enrol(tmp_path / "pc", server.token())
    server.take_over()
    async with server.serving():
        after = await enrol(tmp_path / "pc", server.token(), force=True, anew={"root"})
        assert after.tuf_root != before.tuf_root
        assert [patch.manifest.patch_id for patch in (await catalogue(after)).patches] == ["evil"]


async def test_an_honest_server_s_pcs_enrol_again_as_ever(server: SeedServer, tmp_path: Path) -> None:
    async with server.serving():
        before = await enrol(tmp_path / "pc", server.token(), root_pin=server.context.repository().root_pin())
        again = await enrol(tmp_path / "pc", server.token(), force=True)
    assert again.tuf_root == before.tuf_root
    assert again.endpoint_id == before.endpoint_id
