"""A server's real repository, rollouts by rings in it, and the trust stores of PCs that read it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.identifiers import EndpointId, PatchRef, endpoint_id_of_public_key
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, encode_approvers
from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, Manifest, Rollouts, encode_manifest, encode_rollouts
from p2pdist.shared.manifest.ring_facts import ring_facts
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import (
    STAGED_TARGET,
    Approval,
    StagedEntry,
    StagedRollouts,
    approval_bytes,
    encode_staged,
)
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.ring_rules import RingMember
from p2pdist.trust.store import TrustStore
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import create_signing_key, key_path
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES
from tests.helpers.old_repository import manifest_of, torrent_of
from tests.helpers.signing_desk import DirectoryHttp

NOW = 1_795_600_000.0
DAY = 86_400
SETTINGS = ServerSettings(name="hq", address="127.0.41.1")
RINGS = (
    PlannedRing("test", who='"lab" in tags', soak_seconds=3_600),
    PlannedRing("first", who='site == "oslo"', soak_seconds=DAY),
    PlannedRing("broad", who='site != "plant"'),
)
NOBODY = Rollouts(format=1, entries=[])


class Server:
    """The repository, with all its keys."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.home = directory, ServerHome(directory / "server")
        self.keys = {name: create_signing_key(key_path(self.home.offline_keys, name), None) for name in OFFLINE_KEYS}
        self.keys |= {name: create_signing_key(key_path(self.home.online_keys, name), None) for name in ONLINE_ROLES}
        self.now = NOW
        self.repository = Repository.create(self.home, SETTINGS, self.keys, self.now)

    def publish(self, patch_id: str = "acme", version: str = "1", *, at_once: bool = False) -> Manifest:
        """Publish a patch; offer it to nobody yet, or to every PC."""
        number = self.repository.publication_order().next_number(patch_id)  # type: ignore[arg-type]
        manifest = manifest_of(patch_id, version, number=number, now=self.now)
        before = self.repository.current_rollouts()
        after = with_entry(before, manifest.ref, self.repository.current_staged()) if at_once else before
        torrents, key = [torrent_of(manifest)], self.keys["patches"]
        self.repository.publish_patch(manifest, torrents, after, patches_key=key, now=self.now)
        return manifest

    def wait(self, seconds: float) -> None:
        """Let time pass, and renew the timestamp."""
        self.now += seconds
        self.repository.refresh_timestamp(self.now, force=True)

    def names_approvers(self, people: "People", required: int = 2) -> None:
        """Have PCs want approvals for what is published from now on."""
        document = Approvers(
            format=1, keys=people.public, required=required, required_in_emergency=1, since=int(self.now) - 1
        )
        data, key = encode_approvers(document), self.keys["patches"]
        self.repository.change_document("patches", APPROVERS_TARGET, data, key=key, now=self.now)

    def stage(self, *entries: StagedEntry, rollouts: Rollouts | None = None, **fields: object) -> None:
        """Sign these rollouts by rings, instead of those before."""
        staged = StagedRollouts(format=1, entries=entries, **fields)  # type: ignore[arg-type]
        self.repository.stage(staged, now=self.now, rollouts=rollouts)

    def sign_anything(
        self, staged: StagedRollouts | None = None, rollouts: Rollouts | None = None, **targets: bytes
    ) -> None:
        """Sign with the online keys alone, whatever it is: what a thief of the server can do."""
        writer, current = self.repository._writer, self.repository._files.load()
        role = current.targets["rollouts"].signed
        if staged is not None:
            writer.add_target(role, STAGED_TARGET, encode_staged(staged))
        if rollouts is not None:
            writer.add_target(role, ROLLOUTS_TARGET, encode_rollouts(rollouts))
        for path, data in targets.items():
            writer.add_target(role, path, data)
        writer.commit(current, ("rollouts",), {}, self.now)


class Pc:
    """A PC: its trust store, and what decides about its rings."""

    def __init__(self, server: Server, number: int, *, site: str, tags: tuple[str, ...] = ()) -> None:
        root = server.repository.trusted_root().encode()
        http, home = DirectoryHttp(server.home), server.directory / f"pc-{number}"
        self._server = server
        self.endpoint_id: EndpointId = endpoint_id_of_public_key(number.to_bytes(4))
        self.facts = ring_facts({}, site=site, tags=tags)
        self.store = TrustStore(home, base_url="https://127.0.0.1:8443", root=root, http=http)

    async def refresh(self) -> Catalogue:
        """Return what it accepts now."""
        self.store.member = RingMember(self.endpoint_id, self.facts, self._server.now)
        return await self.store.refresh(self._server.now)

    async def sees(self, ref: str = "acme@1") -> str:
        """Return ``taken``, why it waits, or ``not offered``."""
        catalogue = await self.refresh()
        if any(str(patch.ref) == ref for patch in catalogue.patches):
            return "taken"
        waiting = [one.wait.reason.name for one in catalogue.not_yet if str(one.manifest.ref) == ref]
        return waiting[0] if waiting else "not offered"


@dataclass
class People:
    """Approvers, each with a key of their own, which no server has."""

    keys: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: {name: Ed25519PrivateKey.generate() for name in ("kim", "ito", "lee")}
    )

    @property
    def public(self) -> dict[str, bytes]:
        """Return what the offline role signs."""
        return {name: key.public_key().public_bytes_raw() for name, key in self.keys.items()}

    def approve(
        self, plan: RolloutPlan, *names: str, rings: int = len(RINGS), at: int = int(NOW)
    ) -> tuple[Approval, ...]:
        """Return the word of each."""
        data = approval_bytes(plan_digest(plan), rings, at)
        return tuple(Approval(name, rings, at, self.keys[name].sign(data)) for name in names)


def plan_of(manifest: Manifest, rings: tuple[PlannedRing, ...] = RINGS, salt: bytes = bytes(16)) -> RolloutPlan:
    """Return the plan of a publication."""
    digest = hashlib.sha256(encode_manifest(manifest)).hexdigest()
    ref: PatchRef = manifest.ref
    return RolloutPlan(
        format=1, patch_id=ref.patch_id, version=ref.version, number=manifest.number, manifest_sha256=digest,
        salt=salt, rings=rings, silent_after_seconds=DAY,
    )  # fmt: skip
