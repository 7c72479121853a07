"""Enrolment, renewal and trust against the seed server's own web port and repository: nothing is simulated."""

import dataclasses
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.daemon import composition
from p2pdist.daemon.core import build_core
from p2pdist.daemon.introduction import Introduction
from p2pdist.daemon.renewal import Renewal
from p2pdist.daemon.state import DaemonState
from p2pdist.identity import enrolment
from p2pdist.identity.renewal import renew
from p2pdist.identity.server_change import own_address
from p2pdist.identity.store import Identity, control_ssl_context
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry, Rollouts
from p2pdist.shared.manifest.site_profile import SiteProfile, encode_site_profile, profile_target
from p2pdist.shared.manifest.template import Template, TemplateItem, encode_template, template_target
from p2pdist.shared.service_manager import ServiceManager
from p2pdist.shared.wire.enrolment import Token, encode_token
from p2pdist.shared.wire.messages import ControlHello
from p2pdist.transfer.files import prepare_home
from p2pdist.trust.http_answers import Http, base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.store import TrustError, TrustStore
from p2pdist.trust.tls_contexts import trusting_context
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions
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

ADDRESS = "127.0.2.11"
SECRET = b"t" * 16


@dataclass(frozen=True)
class Server:
    home: ServerHome
    repository: Repository
    database: Database
    token: str

    def publish(self, patch_id: str) -> None:
        """Sign one more patch; its payload and torrent do not matter here."""
        digest = hashlib.sha256(patch_id.encode()).hexdigest()
        payload = Payload(file_name="p.bin", length_bytes=1, sha256=digest, torrent_hash=digest)
        manifest = Manifest(
            format=1,
            patch_id=patch_id,
            version="1",
            title="",
            severity="low",
            cvss=None,
            published_at=0,
            payloads=[payload],
        )
        entries = self.repository.current_rollouts().entries
        entry = RolloutEntry(patch_id=patch_id, version="1", sequence=len(entries) + 1)
        key = SIGNING_KEYS[self.home.root]["patches"]
        rollouts = Rollouts(format=1, entries=[*entries, entry])
        self.repository.publish_patch(manifest, [b"torrent"], rollouts, patches_key=key, now=time.time())


SIGNING_KEYS: dict[Path, dict] = {}


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Server]:
    home = ServerHome(directory)
    settings = ServerSettings(name="Head office", address=ADDRESS)
    now = time.time()
    for folder in (home.online_keys, home.keys / "offline", home.keys / "ca", home.content):
        folder.mkdir(parents=True, mode=0o700)
    keys = {role: create_signing_key(key_path(home.online_keys, role), None) for role in ONLINE_ROLES}
    keys |= {role: create_signing_key(key_path(home.keys / "offline", role), None) for role in OFFLINE_KEYS}
    SIGNING_KEYS[directory] = keys
    authority = CertificateAuthority.create(home.keys / "ca", settings.name, now)
    repository = Repository.create(home, settings, keys, now)
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([ADDRESS], now))
    sockets = listen_sockets([ADDRESS], 0, purpose="web port")
    with Database.create(home.database) as database:
        database.add_token(SECRET, 1, now + 60, now, ("kiosk",))
        decisions = EnrolmentDecisions(
            server_name=settings.name,
            origin_port=7690,
            authority=authority,
            database=database,
            trusted_root=repository.trusted_root,
        )
        line = line_of(SiteRate(FAST_LINE, 0.0), OtherTraffic())
        news = TrustNewsReader(home.tuf_metadata, home.tuf_targets)
        port = WebPort(decisions, home.tuf_metadata, home.tuf_targets, line, news)
        token = Token(
            address=ADDRESS,
            web_port=sockets[0].getsockname()[1],
            ca_pin=authority.control_ca_pin(),
            root_pin=repository.root_pin(),
            secret=SECRET,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_web, make_app(port, SystemClock()), sockets, tls.web, SystemClock())
            yield Server(home, repository, database, encode_token(token))
            nursery.cancel_scope.cancel()


async def renewed(identity: Identity) -> Identity:
    async with HttpsClient(trusting_context(identity.control_ca)) as http:
        return await renew(identity, time.time(), http, own_address(identity).url)


@asynccontextmanager
async def trusting(identity: Identity, directory: Path) -> AsyncIterator[TrustStore]:
    async with HttpsClient(control_ssl_context(identity)) as http:
        url = base_url(identity.server_address, identity.web_port)
        yield TrustStore(directory, base_url=url, root=identity.tuf_root, http=http)


async def test_a_denied_pc_reads_why_it_hears_nothing_and_hears_again_when_it_is_allowed(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        async with trusting(identity, tmp_path / "trust") as store:
            await store.refresh(time.time())
            server.database.set_denied(identity.endpoint_id, denied=True)
            with pytest.raises(TrustError, match="denied it. Ask the operator"):
                await store.refresh(time.time())
            server.database.set_denied(identity.endpoint_id, denied=False)
            await store.refresh(time.time())


async def test_a_member_follows_what_is_published_and_refuses_a_restored_backup(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        async with trusting(identity, tmp_path / "trust") as store:
            assert (await store.refresh(time.time())).patches == ()
            server.publish("KB1")
            backup = {path: path.read_bytes() for path in server.home.tuf_metadata.iterdir()}
            server.publish("KB2")
            catalogue = await store.refresh(time.time())
            assert [patch.manifest.patch_id for patch in catalogue.patches] == ["KB1", "KB2"]
            assert (catalogue.refused, catalogue.stale) == ((), "")
            assert catalogue.timestamp_version == server.repository.timestamp_version()
            for path, data in backup.items():
                path.write_bytes(data)
            with pytest.raises(TrustError) as caught:
                await store.refresh(time.time())
            assert caught.value.reason == "rolled_back"
            assert await store.load_cached(time.time()) == catalogue


async def test_renewed_offline_roles_and_a_new_root_are_followed(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        async with trusting(identity, tmp_path / "trust") as store:
            server.publish("KB1")
            before = await store.refresh(time.time())
            server.repository.renew_offline_roles(SIGNING_KEYS[server.home.root], time.time())
            after = await store.refresh(time.time())
            assert after.patches == before.patches
            assert after.timestamp_version > before.timestamp_version


async def test_a_site_s_profile_reaches_its_endpoints_and_stays_over_a_restart(tmp_path: Path) -> None:
    document = SiteProfile(format=1, site="oslo", text='name = "Office"\ntime_zone = "UTC"\n')
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        key = SIGNING_KEYS[server.home.root]["profiles"]
        target = profile_target(SiteName("oslo"))
        server.repository.change_document("profiles", target, encode_site_profile(document), key=key, now=time.time())
        async with trusting(identity, tmp_path / "trust") as store:
            assert (await store.refresh(time.time())).profile is None, "its site is not known yet"
            store.site = SiteName("bergen")
            assert (await store.refresh(time.time())).profile is None
            store.site = SiteName("oslo")
            assert (await store.refresh(time.time())).profile == document
        async with trusting(identity, tmp_path / "trust") as store:
            store.site = SiteName("oslo")
            cached = await store.load_cached(time.time())
            assert cached is not None
            assert cached.profile == document
            server.repository.change_document("profiles", target, None, key=key, now=time.time())
            assert (await store.refresh(time.time())).profile is None


async def test_a_template_reaches_every_endpoint_and_stays_over_a_restart(tmp_path: Path) -> None:
    items = (TemplateItem(label="old openssl", expression='package("openssl") < version("3.0.17")'),)
    template = Template(format=1, name="december", title="", items=items)
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        key = SIGNING_KEYS[server.home.root]["patches"]

        def change(name: str, data: bytes | None) -> None:
            server.repository.change_document("patches", template_target(name), data, key=key, now=time.time())

        async with trusting(identity, tmp_path / "trust") as store:
            assert (await store.refresh(time.time())).templates == ()
            change("december", encode_template(template))
            change("another-name", encode_template(template))
            change("junk", b"junk")
            accepted = await store.refresh(time.time())
            assert accepted.templates == (template,)
            assert (accepted.patches, accepted.refused) == ((), ())
        async with trusting(identity, tmp_path / "trust") as store:
            assert await store.load_cached(time.time()) == accepted
            change("december", None)
            assert (await store.refresh(time.time())).templates == ()


async def test_a_token_is_good_once_and_a_denied_pc_is_not_renewed(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        assert (identity.server_name, identity.tags) == ("Head office", ("kiosk",))
        assert [row.tags for row in server.database.endpoints()] == [("kiosk",)]
        with pytest.raises(UserError) as used:
            await enrolment.enrol(tmp_path / "other", server.token, hostname="other", now=time.time())
        assert used.value.kind == FaultKind.REFUSED
        assert "used up" in used.value.message
        assert (await renewed(identity)).endpoint_id == identity.endpoint_id
        server.database.set_denied(identity.endpoint_id, denied=True)
        with pytest.raises(UserError) as denied:
            await renewed(identity)
        assert denied.value.kind == FaultKind.REFUSED
        assert "denied" in denied.value.message


class WatchedIntroduction(Introduction):
    """Remembers the identity with which the server is called."""

    def __init__(self, state: DaemonState) -> None:
        super().__init__(state)
        self.called_as: list[Identity] = []
        self.called = trio.Event()

    def hello(self, lan_port: int) -> ControlHello:
        self.called_as.append(self._state.identity)
        self.called.set()
        return super().hello(lan_port)


class WatchedDaemon:
    """A daemon in a new home, on a network of its own."""

    def __init__(self, directory: Path, identity: Identity, **renewal: Any) -> None:
        home = EndpointHome(directory)
        prepare_home(home.cache, home.patches, home.trust)
        core = build_core(home, DaemonSettings(lan_port=0, mdns=False), identity, SystemClock(), address="127.0.2.12")
        self.state = core.state
        self.introduction = WatchedIntroduction(core.state)
        made = Renewal(core.state, core.wakeups, core.restarts, core.clock, **renewal)
        self.core = dataclasses.replace(core, introduction=self.introduction, renewal=made)

    async def run(self) -> None:
        await composition.keep_running(self.core, ServiceManager())


async def test_expired_certificates_are_renewed_before_the_server_is_called(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server, trio.open_nursery() as nursery:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        expired = dataclasses.replace(identity, not_before=0.0, not_after=1.0)
        daemon = WatchedDaemon(tmp_path / "pc", expired)
        with trio.fail_after(10):
            nursery.start_soon(daemon.run)
            await daemon.introduction.called.wait()
        assert daemon.introduction.called_as[0].not_after > time.time()
        nursery.cancel_scope.cancel()


async def test_a_failed_renewal_is_told_and_soon_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server, trio.open_nursery() as nursery:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        server.database.set_denied(identity.endpoint_id, denied=True)
        expired = dataclasses.replace(identity, not_before=0.0, not_after=1.0)
        daemon = WatchedDaemon(tmp_path / "pc", expired, first_backoff_seconds=0.01)
        with trio.fail_after(10):
            nursery.start_soon(daemon.run)
            await daemon.introduction.called.wait()
            assert "denied" in daemon.state.renewal_problem
            server.database.set_denied(identity.endpoint_id, denied=False)
            while daemon.state.renewal_problem:  # noqa: ASYNC110 - a plain attribute
                await trio.sleep(0.01)
        assert daemon.state.identity.not_after > time.time()
        nursery.cancel_scope.cancel()


async def test_new_authorities_start_all_parts_again(tmp_path: Path) -> None:
    async with running(tmp_path / "server") as server, trio.open_nursery() as nursery:
        identity = await enrolment.enrol(tmp_path / "pc", server.token, hostname="pc", now=time.time())
        other = CertificateAuthority.create(tmp_path / "ca", "other", time.time())
        new = dataclasses.replace(identity, control_ca=other.control_ca_pem)

        async def renewing(_identity: Identity, _now: float, _http: Http, _url: str) -> Identity:
            return new

        daemon = WatchedDaemon(tmp_path / "pc", dataclasses.replace(identity, not_before=0.0), renew=renewing)
        with trio.fail_after(10):
            nursery.start_soon(daemon.run)
            await daemon.introduction.called.wait()
            first = daemon.core.restarts._parts
            while daemon.core.restarts._parts is first or daemon.introduction.called_as[-1] is not new:  # noqa: ASYNC110 - plain attributes
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
