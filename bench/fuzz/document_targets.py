"""Signed documents, and the words in them: expressions, versions, relations."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from bench.fuzz.target import Target, must, refused_by
from p2pdist.install.command_lines import check_command, default_checks, install_command, rollback_command
from p2pdist.install.lifecycle import Journal
from p2pdist.install.schedule import Deferrals, decide, schedule_of
from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.documents import (
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    decode_manifest,
    decode_rollouts,
    encode_manifest,
    encode_rollouts,
)
from p2pdist.shared.manifest.expression import ExpressionError, parse_expression
from p2pdist.shared.manifest.facts import FACTS, Facts, FactType, FactValue, Packages
from p2pdist.shared.manifest.publication_order import PublicationOrder, Publications, decode_order, encode_order
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    HealthCheck,
    MsiInstall,
    PackageCheck,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError, check_relations, in_order
from p2pdist.shared.manifest.site_profile import SiteProfile, decode_site_profile, encode_site_profile
from p2pdist.shared.manifest.suitability import choose
from p2pdist.shared.manifest.template import Template, TemplateItem, decode_template, encode_template
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import MAX_DECODE_ERROR_CHARS, DecodeError
from p2pdist.transfer.states import TransferRecords
from p2pdist.trust.errors import TrustError
from p2pdist.trust.floor import TrustFloor, VerifiedMetadata, decode_accepted, decode_verified
from p2pdist.trust.roots import check_root

HASH = "a" * 64
NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # a clock change in Europe
ZONES = (UTC, ZoneInfo("Europe/Berlin"))
MAX_JOURNAL_BYTES = 1 << 20


def _a_value(kind: FactType) -> FactValue:
    values: dict[FactType, FactValue] = {
        FactType.TRUTH: True,
        FactType.NUMBER: 19_045,
        FactType.TEXT: "debian",
        FactType.VERSION: parse_version("12.1", Ecosystem.GENERIC),
        FactType.TEXTS: ("kiosk", "amd64"),
    }
    return values[kind]


ALL_KNOWN = Facts(
    {name: _a_value(fact.type) for name, fact in FACTS.items()},
    Packages({Ecosystem.DEB: {"openssl": "3.0.17-1~deb12u2"}, Ecosystem.RPM: {"bash": "5.1.8-9.el9"}}),
)
FACTS_OF_PCS = (Facts(), ALL_KNOWN)


def _same_again(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """Return what ``data`` decodes to, None where it is refused; decoding it once more has to give the same."""
    value = None
    with refused_by(DecodeError, MAX_DECODE_ERROR_CHARS):
        value = decode(data)
    if value is not None:
        must(decode(codec.encode(value)) == value, "a document is decoded to what it was")
    return value


# --- manifests -----------------------------------------------------------------------------------


def _manifest(data: bytes) -> None:
    manifest = _same_again(decode_manifest, data)
    if manifest is None:
        return
    must(manifest.title.isprintable(), "a title is one line of visible signs")
    for facts in FACTS_OF_PCS:
        choose(manifest, facts)
    for zone in ZONES:
        decide(schedule_of(manifest.schedule, zone), Deferrals(), NOW, zone)
    health = manifest.health.checks if manifest.health else ()
    lines = [
        check_command(check, "/", windows=windows)
        for check in (*default_checks(manifest), *health)
        for windows in (False, True)
    ]
    if manifest.install is not None and not isinstance(manifest.install, ArchiveInstall):
        lines += [install_command(manifest.install, "/f", "/"), rollback_command(manifest.install, "/f", None, "/")]
    for line in filter(None, lines):
        for argument in line.argv:
            must("\0" not in argument and argument.encode() is not None, "an argument is one that a program can have")


def _manifest_seeds() -> Iterator[bytes]:
    payload = Payload("setup.deb", 1_000, HASH, HASH, "debian", "amd64", "en-us")
    checks = (
        PackageCheck("openssl", "3.0"),
        FileCheck("/usr/bin/vlc", HASH),
        CommandCheck(("/bin/true", "-v")),
        UnitCheck("vlc.service"),
    )
    for install in (
        None,
        DebInstall("vlc"),
        ArchiveInstall("/opt/acme", 1),
        ScriptInstall("sh", ("-x",), ("--undo",)),
        MsiInstall("{90160000-0011-0000-0000-0000000FF1CE}", {"ALLUSERS": "1"}),
        ExeInstall(("/S",), ("C:\\Program Files\\x.exe",)),
    ):
        yield encode_manifest(
            Manifest(
                format=1,
                patch_id="vlc",
                version="3.0.21",
                title="VLC",
                severity="high",
                cvss=7.5,
                published_at=1_700_000_000,
                payloads=[payload],
                requires=("base@1",),
                supersedes=("vlc@2",),
                conflicts=("other",),
                applies_to='os.family == "debian"',
                install=install,
                detect=checks,
                health=HealthCheck(checks) if install else None,
                schedule=ScheduleRules(("mon-fri 22:00-05:00",), "2026-03-01T18:00", "2026-04-01T18:00+01:00", 60, 3),
            )
        )


# --- other documents -----------------------------------------------------------------------------


def _documents(data: bytes) -> None:
    _same_again(decode_rollouts, data)
    _same_again(decode_order, data)
    _same_again(decode_template, data)
    _same_again(decode_site_profile, data)
    _same_again(lambda body: codec.decode(body, Journal, max_bytes=MAX_JOURNAL_BYTES), data)
    _same_again(lambda body: codec.decode(body, TransferRecords, max_bytes=MAX_JOURNAL_BYTES), data)
    for decode in (decode_verified, decode_accepted):
        with contextlib.suppress(DecodeError):
            decode(data)
        with contextlib.suppress(DecodeError):
            decode(hashlib.sha256(data).digest() + data)


def _document_seeds() -> Iterator[bytes]:
    yield encode_rollouts(Rollouts(1, [RolloutEntry("vlc", "3.0", 1)]))
    yield encode_site_profile(SiteProfile(1, "hq", 'name = "hq"\ntime_zone = "UTC"\n[[limit]]\ncap = "1 Mbit/s"\n'))
    item = TemplateItem(
        "old openssl", "arch == 'amd64'", 'package("openssl") < version("3.0.17")', (UnitCheck("x.service"),)
    )
    yield encode_template(Template(1, "audit", "Audit", (item,)))
    floor = TrustFloor(root=1, timestamp=2, roles={"patches": 3}, online_keys=["k"], time=1e9)
    yield codec.encode(VerifiedMetadata(roots={"2": b"root"}, floor=floor))
    yield encode_order(PublicationOrder(format=1, patches={PatchId("vlc"): Publications(newest=2, lowest=1)}))
    yield codec.encode(TransferRecords([]))
    yield codec.encode(Journal())


def _root(data: bytes) -> None:
    with contextlib.suppress(TrustError):
        check_root(data)


def _root_seeds() -> Iterator[bytes]:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    signer = CryptoSigner(key)
    root = Root(expires=datetime(2040, 1, 1, tzinfo=UTC))
    root.add_key(signer.public_key, "root")
    signed = Metadata(root)
    signed.sign(signer)
    yield signed.to_bytes(JSONSerializer(compact=True))


# --- words ---------------------------------------------------------------------------------------


def _expression(data: bytes) -> None:
    with contextlib.suppress(ExpressionError):
        term = parse_expression(data.decode("utf-8", "surrogateescape"))
        for facts in FACTS_OF_PCS:
            must(isinstance(evaluate(term, facts).reason, str), "every expression has a value on every PC")


def _expression_seeds() -> Iterator[bytes]:
    yield b'os.family == "debian" and package("openssl") < version("3.0.17")'
    yield b'arch in ("amd64", "arm64") and not "kiosk" in tags'
    yield b'installed("acme-agent") or os.build >= 19_045 or (on_mains and os.release != version("12"))'


def _versions(data: bytes) -> None:
    texts = data.decode("latin-1").split("\n")[:3]
    for ecosystem in Ecosystem:
        with contextlib.suppress(InvalidVersionError):
            found = [parse_version(text, ecosystem) for text in texts]
            for one in found:
                for other in found:
                    must((one < other) + (other < one) + (one == other) == 1, "two versions have one order")
                    must(one != other or hash(one) == hash(other), "equal versions have one hash")
            ordered = sorted(found)
            must(not ordered[-1] < ordered[0], "versions can be sorted")


def _relations(data: bytes) -> None:
    patches = []
    for number, line in enumerate(data.decode("latin-1").split("\n")[:20], 1):
        words = [[*part.split()] for part in (line + "|||").split("|")[:4]]
        name, _, version = (words[0] or ["p"])[0].partition("@")
        patches.append(OrderedPatch(PatchRef(name, version), number, *map(tuple, words[1:])))
    with contextlib.suppress(OrderError):
        offered = list({patch.ref.patch_id: patch for patch in patches[1:]}.values())
        check_relations(patches[0], offered)
        ordered = in_order(offered)
        must(sorted(patch.ref for patch in offered) == sorted(patch.ref for patch in ordered), "no patch gets lost")


TARGETS = (
    Target("manifest", _manifest, _manifest_seeds, msgpack=True),
    Target("documents", _documents, _document_seeds, msgpack=True),
    Target("root", _root, _root_seeds),
    Target("expression", _expression, _expression_seeds, max_bytes=2_100),
    Target(
        "versions",
        _versions,
        lambda: [b"1:3.0.17-1~deb12u2\n2.1-rc3\n10.0.19045", b"2:1.4.2-3.el9\n1.0\nv1.0"],
        max_bytes=500,
    ),
    Target("relations", _relations, lambda: [b"a@1|b|c@2|d\nb@1|||\nc@2|a@1||\nd@1||a|"], max_bytes=1_000),
)
