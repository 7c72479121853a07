"""What a newer release has kept in this PC's files: the release that comes back after it reads on what it knows."""

import dataclasses
import hashlib
import re
import typing
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import msgspec
import pytest
from msgspec.structs import replace

from p2pdist.identity import store as identity_store
from p2pdist.install import supervision, supervisor
from p2pdist.install.journal import load_journal
from p2pdist.install.lifecycle import (
    HistoryEntry,
    InstallRecord,
    Journal,
    KeptFile,
    PutOff,
    RestartRules,
)
from p2pdist.install.packages import PackageFile
from p2pdist.install.supervision import Order, OrderedCommand, Progress, ServerPlace, Supervision
from p2pdist.pc.kept_inventories import KeptInventories, ToldInventories
from p2pdist.settings import EndpointHome
from p2pdist.shared.custody import Custody, CustodyRecord
from p2pdist.shared.manifest.inventory import NOTHING, Changes, difference
from p2pdist.shared.wire.inventory import packed
from p2pdist.transfer.files import load_records
from p2pdist.transfer.states import Place, TransferRecord, TransferRecords
from p2pdist.trust.files import TrustFiles
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor, VerifiedMetadata
from p2pdist.trust.witness import Seen, Witness
from seed_server.settings.home import ServerHome
from seed_server.signer.memory import SIGNED_VERSIONS_FILE, SignerMemory
from seed_server.store.last_backup import LastBackup, read_last_backup, record_path
from seed_server.store.restored_mark import RestoredMark, read_mark
from tests.helpers.sources import ROOT
from tests.unit.p2pdist.identity.test_store import make_identity
from tests.unit.p2pdist.trust.test_witness import FIVE, ServersLog, anchored

ADDED = {"added-later": {"deep": [1, 2]}}


@dataclasses.dataclass(frozen=True)
class StateFile:
    """A file of the home: what is in it, how that is written, and what the product reads of it."""

    path: Callable[[EndpointHome], Path]
    value: msgspec.Struct
    write: Callable[[Any], bytes]
    read: Callable[[EndpointHome], Awaitable[object]]


def sealed(raw: object) -> bytes:
    body: bytes = msgpack.packb(raw)
    return hashlib.sha256(body).digest() + body


async def transfers_of(home: EndpointHome) -> object:
    return TransferRecords(await load_records(home.records))


async def journal_of(home: EndpointHome) -> object:
    return await load_journal(home.installs, 1.0)


async def inventories_of(home: EndpointHome) -> object:
    told = ToldInventories(home.told_inventory)._load()
    return KeptInventories(tuple(packed(difference(NOTHING, each)) for each in told))


async def verified_of(home: EndpointHome) -> object:
    return TrustFiles(home.trust).load()[0]


async def accepted_of(home: EndpointHome) -> object:
    return TrustFiles(home.trust).load()[1]


async def seen_of(home: EndpointHome) -> object:
    return Witness(home.trust / "witness")._seen


def order_of(name: str, kind: type[msgspec.Struct]) -> Callable[[EndpointHome], Awaitable[object]]:
    async def read(home: EndpointHome) -> object:
        made = Supervision(home.upgrade, typing.cast("supervision.Starter", None), lambda: None, lambda: True)
        return made._read(name, kind)

    return read


LOG = ServersLog(*FIVE)
KEPT = KeptFile("1", "acme.deb", "ab" * 32)
FLOOR = TrustFloor(root=2, timestamp=7, snapshot=5, roles={"patches": 3}, time=9.0)
COMMAND = OrderedCommand(("/usr/bin/dpkg", "-i"), 60.0)
STATE_FILES = {
    "state/transfers": StateFile(
        lambda home: home.records,
        TransferRecords([TransferRecord(
            "acme", "1", "ab" * 32, "cd" * 20, 1.0, 2.0, 3, 4, 5, 6, places=(Place("acme", "1", "acme.deb"),)
        )]),
        msgpack.packb, transfers_of,
    ),
    "state/installs": StateFile(
        lambda home: home.installs,
        Journal(
            3,
            (InstallRecord(
                "acme", "1", "installed", 1.0, 2.0, put_off=PutOff(1, 2.0), package=PackageFile("acme", "1", "all"),
                previous=KEPT, own=KEPT, restart_boot="boot", restart_rules=RestartRules(reboot="window"),
            ),),
            (HistoryEntry(1.0, "acme", "1", 3, "installed"),),
            {"acme": 1},
            Custody().with_record(CustodyRecord(1, "acme", "1", 1, 3, "installed")),
        ),
        msgpack.packb, journal_of,
    ),
    "state/inventory": StateFile(
        lambda home: home.told_inventory, KeptInventories((packed(Changes({"arch": "amd64"})),)), msgpack.packb,
        inventories_of,
    ),
    "trust/verified": StateFile(
        lambda home: home.trust / "floor", VerifiedMetadata(timestamp=b"{}", floor=FLOOR), sealed, verified_of
    ),
    "trust/accepted": StateFile(
        lambda home: home.trust / "accepted",
        AcceptedMetadata(accepted_at=1.0, roots={"2": b"{}"}, roles={"timestamp": b"{}"}, floor=FLOOR),
        sealed, accepted_of,
    ),
    "trust/witness": StateFile(
        lambda home: home.trust / "witness", Seen(known=LOG.note(), conflict=b"no note", fault="malformed",
        anchor=anchored(LOG)), sealed, seen_of,
    ),
    "upgrade/order.json": StateFile(
        lambda home: home.upgrade / supervisor.ORDER,
        Order("3-install-ab", COMMAND, COMMAND, COMMAND, COMMAND, 60.0, ServerPlace("a", 1, "b"), {}, {"CORE": (0, 0)}),
        msgspec.json.encode, order_of(supervisor.ORDER, Order),
    ),
    "upgrade/progress.json": StateFile(
        lambda home: home.upgrade / supervisor.PROGRESS, Progress("3-install-ab", 1, "waiting"),
        msgspec.json.encode, order_of(supervisor.PROGRESS, Progress),
    ),
}  # fmt: skip


def with_more(value: Any) -> Any:
    """Return the builtins of ``value``, with a field more in every structure."""
    if isinstance(value, msgspec.Struct):
        fields = {name: with_more(getattr(value, name)) for name in value.__struct_fields__}
        return fields | ADDED
    if isinstance(value, dict):
        return {with_more(name): with_more(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_more(item) for item in value]
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def structures_of(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Return every structure that can be in one of this kind."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in typing.get_type_hints(kind).values():
            yield from structures_of(field)
    for part in typing.get_args(kind):
        yield from structures_of(part)


def structures_in(value: Any) -> Iterator[type[msgspec.Struct]]:
    """Return every structure that is in ``value``."""
    if isinstance(value, msgspec.Struct):
        yield type(value)
        value = [getattr(value, name) for name in value.__struct_fields__]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from structures_in(item)


@pytest.mark.parametrize("name", STATE_FILES)
async def test_a_field_of_a_newer_release_loses_nothing_of_a_pcs_state(tmp_path: Path, name: str) -> None:
    home, file = EndpointHome(tmp_path), STATE_FILES[name]
    assert set(structures_in(file.value)) == set(structures_of(type(file.value))), "the example lacks some"
    path = file.path(home)
    path.parent.mkdir(parents=True)
    path.write_bytes(file.write(with_more(file.value)))
    assert await file.read(home) == file.value


def test_a_field_of_a_newer_release_leaves_a_pc_enrolled(tmp_path: Path, certificates: ModuleType) -> None:
    key = identity_store.load_or_create_key(tmp_path)
    identity = dataclasses.replace(make_identity(certificates.Authority("control"), tmp_path, key), tags=("kiosk",))
    identity_store.save_identity(identity)
    path = EndpointHome(tmp_path).enrolment
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | ADDED))
    assert identity_store.load_identity(tmp_path) == identity


def test_an_alarm_about_the_audit_log_outlives_what_this_release_does_not_understand(tmp_path: Path) -> None:
    later = msgpack.packb(msgpack.unpackb(anchored(LOG)) | ADDED)
    seen = Seen(known=LOG.note(), conflict=b"no note", fault="malformed", anchor=later, before=LOG.note())
    (tmp_path / "witness").write_bytes(sealed(msgspec.to_builtins(seen, builtin_types=(bytes,))))
    kept = Witness(tmp_path / "witness")
    assert (kept.fault, kept.had_alarm, kept.known_size, kept.begun_again) == ("malformed", True, 5, None)
    (tmp_path / "witness").write_bytes(
        sealed(msgspec.to_builtins(replace(seen, known=b"later"), builtin_types=(bytes,)))
    )
    kept = Witness(tmp_path / "witness")
    assert (kept.fault, kept.had_alarm, kept.known_size) == ("malformed", True, 0)


def test_a_log_that_is_not_understood_is_begun_anew_from_the_anchor_and_forgets_no_evidence(tmp_path: Path) -> None:
    anchor = anchored(LOG)
    seen = Seen(known=b"later", conflict=b"no note", anchor=anchor, before=LOG.note())
    (tmp_path / "witness").write_bytes(sealed(msgspec.to_builtins(seen, builtin_types=(bytes,))))
    kept = Witness(tmp_path / "witness")
    assert kept.known_size == 5, "what the offline role says, not what the server shows next"
    (tmp_path / "witness").write_bytes(sealed(msgspec.to_builtins(replace(seen, anchor=b""), builtin_types=(bytes,))))
    kept = Witness(tmp_path / "witness")
    kept.look(LOG.note())
    assert (kept.known_size, kept.had_alarm) == (5, True), "that something was wrong once stays known"


def test_an_alarm_of_a_kind_that_only_a_newer_release_knows_stays_one(tmp_path: Path) -> None:
    seen = Seen(known=LOG.note(), conflict=LOG.note(), fault="malformed")
    raw = msgspec.to_builtins(seen, builtin_types=(bytes,)) | {"fault": "added_later"}
    (tmp_path / "witness").write_bytes(sealed(raw))
    kept = Witness(tmp_path / "witness")
    assert (kept.fault, kept.had_alarm, kept.known_size) == ("malformed", True, 5)


def test_a_role_that_only_a_newer_signer_knows_is_kept_in_the_folder_of_keys(tmp_path: Path) -> None:
    (tmp_path / SIGNED_VERSIONS_FILE).write_bytes(msgspec.json.encode({"patches": 4, "added-later": 9}))
    memory = SignerMemory(tmp_path)
    assert memory.signed_versions() == {"patches": 4, "added-later": 9}
    memory.remember(b"{}", {"patches": 5})
    assert memory.signed_versions() == {"patches": 5, "added-later": 9}


def test_a_field_of_a_newer_release_leaves_a_restored_server_catching_up(tmp_path: Path) -> None:
    home, mark = ServerHome(tmp_path), RestoredMark(1.0, 2.0, left=("patches",))
    home.restored.write_bytes(msgpack.packb(with_more(mark)))
    assert read_mark(home) == mark


def test_a_field_of_a_newer_release_leaves_it_known_when_the_last_backup_was(tmp_path: Path) -> None:
    home, last = ServerHome(tmp_path), LastBackup(1.0, "/mnt/backup", files=3)
    record_path(home).write_bytes(msgpack.packb(with_more(last)))
    assert read_last_backup(home) == last


OF_ONE_PIECE = {
    "p2pdist/shared/folder.py": "what others give it",
    "p2pdist/pc/chosen_address.py": "an address",
    "p2pdist/pc/last_site.py": "a name",
    "p2pdist/identity/last_server.py": "an address; of a newer release's, what is more is ignored",
    "seed_server/signing/key_files.py": "PEM",
    "seed_server/signing/repository_writer.py": "signed documents: ADR 0038",
    "seed_server/signing/adoption.py": "signed documents: ADR 0038",
    "seed_server/signing/presented.py": "signed documents: ADR 0038",
    "seed_server/signing/bundle.py": "strict: a signer signs only what it can show",
    "seed_server/backup/objects.py": "strict: its hash is over all of it; a newer format is refused by its number",
    "seed_server/backup/restoring_home.py": "what the backup has, as it is",
    "seed_server/reporting/pages.py": "a page for people",
    "seed_server/initialising.py": "written for people, once; PEM",
    "seed_server/automation/declared_export.py": "TOML for people: a mistyped word must not be ignored",
    "seed_server/fleet/home_file_operations.py": "TOML of people, checked before it is written",
    "seed_server/settings/server_toml.py": "TOML of people: a mistyped word must not be ignored",
    "seed_server/store/content_store.py": "hashes",
    "seed_server/store/moved_mark.py": "a line for people",
    "seed_server/fleet/sealing.py": "a key",
    "seed_server/deltas/beside.py": "what can be made anew, with the mark of its format and a checksum",
    "seed_server/deltas/coded_cache.py": "what can be made anew, with the mark of its format and a checksum",
    "seed_server/fleet/archiving.py": "a month's steps in the format that its first bytes name",
    "seed_server/fleet/audit_log.py": "a signed note",
    "seed_server/fleet/saved_logins.py": "a token",
    "seed_server/enrolment/certificate_authority.py": "PEM",
}
TRIED = {
    "p2pdist/identity/store.py", "p2pdist/install/journal.py", "p2pdist/install/supervision.py",
    "p2pdist/pc/kept_inventories.py", "p2pdist/transfer/files.py", "p2pdist/trust/files.py", "p2pdist/trust/witness.py",
    "seed_server/signer/memory.py", "seed_server/store/last_backup.py", "seed_server/store/restored_mark.py",
}  # fmt: skip


def test_each_module_that_keeps_a_file_is_tried_here_or_has_no_fields() -> None:
    writers = {
        str(path.relative_to(ROOT))
        for part in ("p2pdist", "seed_server")
        for path in (ROOT / part).rglob("*.py")
        if re.search(r"durable_files\.write_file\(", path.read_text())
    }
    assert writers == TRIED | OF_ONE_PIECE.keys()
    assert not TRIED & OF_ONE_PIECE.keys()
