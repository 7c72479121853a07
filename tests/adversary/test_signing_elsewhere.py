"""Attacks on signing on other machines: by the server that prepares, by whoever carries the bundle, by one of two.

What the endpoints' own trust store accepts decides. The attacker's server has every online key and no offline key.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.publication_order import (
    ORDER_TARGET,
    PublicationOrder,
    Publications,
    decode_order,
    encode_order,
    part_target,
)
from p2pdist.shared.manifest.recipe import ScriptInstall, UnitCheck
from p2pdist.trust.store import TrustError
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.preparing import prepare_publication
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signer.review import open_review
from seed_server.signing.bins import role_listing
from seed_server.signing.bundle import Bundle, RoleSignature, encode_bundle, read_bundle, write_bundle
from seed_server.signing.key_files import load_signing_key
from seed_server.signing.metadata import public_key
from tests.helpers.signing_desk import Company

SCRIPT = ("--install", "script", "--interpreter", "sh", "--argument", "-x", "--detect", "file /opt/acme/VERSION")


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def changed(bundle: Bundle, role: str, change: Callable[[Any], None]) -> Bundle:
    """Return the bundle with the proposed metadata of ``role`` changed by an attacker."""
    metadata: Metadata[Any] = Metadata.from_bytes(bundle.proposed[role])
    change(metadata.signed)
    return msgspec.structs.replace(bundle, proposed={**bundle.proposed, role: metadata.to_bytes()})


def with_target(bundle: Bundle, name: str, data: bytes) -> Bundle:
    def add(patches: Targets) -> None:
        patches.targets[name] = TargetFile.from_data(name, data, ["sha256"])

    role = role_listing(name)
    in_bundle = role if role in bundle.proposed else "patches"
    return msgspec.structs.replace(changed(bundle, in_bundle, add), documents={**bundle.documents, name: data})


def with_role(company: Company, bundle: Bundle, role: str) -> Bundle:
    """Return the bundle with one more of the roles that the same keys sign, content unchanged."""
    metadata = company.repository()._files.load().targets[role]  # what an attacker has on the disk
    current = {**bundle.current, role: metadata.to_bytes()}
    metadata.signed.version += 1
    metadata.signatures.clear()
    return msgspec.structs.replace(bundle, current=current, proposed={**bundle.proposed, role: metadata.to_bytes()})


def refused_to_sign(company: Company, *options: object, folder: Path | None = None) -> str:
    """Sign, and return why that was refused; nothing may be signed."""
    before = company.bundle.read_bytes()
    with pytest.raises(UserError) as caught:
        company.sign(folder or company.alice, *options)
    assert company.bundle.read_bytes() == before
    assert caught.value.kind in {FaultKind.REFUSED, FaultKind.BAD_INPUT}
    return caught.value.message


# --- the key stays where it is ---------------------------------------------------------------


async def test_no_offline_key_is_ever_on_the_server(company: Company) -> None:
    file = company.file()
    company.prepare(file)
    assert await company.seen_by() == []
    company.sign(company.alice, "--payload", file)
    company.finish()
    assert await company.seen_by() == ["office@1.0"]
    secrets = [path.read_bytes() for path in company.alice.glob("*.pem")]
    assert len(secrets) == 3
    written = [path.read_bytes() for path in company.home.root.rglob("*") if path.is_file()]
    assert not [secret for secret in secrets for data in written if secret in data]
    assert not company.home.offline_keys.exists()


# --- two signers --------------------------------------------------------------------------------


async def test_one_of_two_signers_alone_publishes_nothing(company: Company) -> None:
    company.two_signers()
    file = company.file()
    company.prepare(file)
    company.sign(company.alice, "--payload", file)
    company.sign(company.alice, "--payload", file)  # twice is still one
    with pytest.raises(UserError, match="patches: 1 of 2 signatures, 1 missing, of the keys") as caught:
        company.finish()
    assert caught.value.kind is FaultKind.REFUSED
    assert short_id(company.bob) in caught.value.message
    assert await company.seen_by() == []
    with pytest.raises(UserError, match="only with 2 signatures"):
        company.on_server("publish", file, "--patch-id", "a", "--version", "1", "--offline-keys", company.alice)
    company.sign(company.bob, "--payload", file)
    company.finish()
    assert await company.seen_by() == ["office@1.0"]
    assert await company.seen_by("another pc") == ["office@1.0"]


@pytest.mark.parametrize("forgery", ["nothing", "one signature", "one signature under two ids"])
async def test_a_stolen_server_with_one_of_two_keys_makes_no_pc_believe(company: Company, forgery: str) -> None:
    company.two_signers()
    file = company.file()
    company.prepare(file)
    company.sign(company.alice, "--payload", file)
    company.sign(company.bob, "--payload", file)
    company.finish()
    path = max(company.home.tuf_metadata.glob("*.patches.json"), key=lambda path: int(path.name.partition(".")[0]))
    metadata: Metadata[Targets] = Metadata.from_bytes(path.read_bytes())
    one = metadata.signatures[key_id(company.alice)]
    if forgery != "nothing":
        metadata.signatures.clear()
        metadata.signatures[one.keyid] = one
    if forgery == "one signature under two ids":
        metadata.signatures[key_id(company.bob)] = type(one)(key_id(company.bob), one.signature)
    path.write_bytes(metadata.to_bytes())
    sign_online_again(company, path)
    if forgery == "nothing":  # what the attacker does with the online keys is right: the signatures alone decide
        assert await company.seen_by() == ["office@1.0"]
        return
    with pytest.raises(TrustError) as caught:
        await company.seen_by()
    assert caught.value.reason == "invalid_signature"


def sign_online_again(company: Company, patches: Path) -> None:
    """Make snapshot and timestamp fit the changed file, as whoever has the online keys can."""
    folder = company.home.tuf_metadata
    timestamp = Metadata[Timestamp].from_bytes((folder / "timestamp.json").read_bytes())
    path = folder / f"{timestamp.signed.snapshot_meta.version}.snapshot.json"
    snapshot = Metadata[Snapshot].from_bytes(path.read_bytes())
    version = snapshot.signed.meta["patches.json"].version
    snapshot.signed.meta["patches.json"] = MetaFile.from_data(version, patches.read_bytes(), ["sha256"])
    snapshot.sign(CryptoSigner(load_signing_key(company.home.online_keys / "snapshot.pem", None)))
    path.write_bytes(snapshot.to_bytes())
    version = timestamp.signed.snapshot_meta.version
    timestamp.signed.snapshot_meta = MetaFile.from_data(version, path.read_bytes(), ["sha256"])
    timestamp.sign(CryptoSigner(load_signing_key(company.home.online_keys / "timestamp.pem", None)))
    (folder / "timestamp.json").write_bytes(timestamp.to_bytes())


def key_id(folder: Path) -> str:
    return public_key(load_signing_key(folder / "patches.pem", None)).keyid


def short_id(folder: Path) -> str:
    return key_id(folder)[:8]


# --- what the server would have signed ----------------------------------------------------------


def test_the_signer_sees_what_it_signs_and_not_what_the_server_says(company: Company) -> None:
    file = company.file("setup.sh")
    file.write_bytes(b"#!/bin/sh\n")
    bundle = company.prepare(file, "acme", "1.0", *SCRIPT)
    write_bundle(company.bundle, msgspec.structs.replace(bundle, purpose="publish a harmless font \x1b[2K"))
    shown = company.sign(company.alice, "--payload", file)
    assert "(not proven): publish a harmless font ?[2K" in shown
    for words in ("new: patches/acme@1.0.manifest", "install: script", 'interpreter: "sh"', 'arguments: ["-x"]'):
        assert words in shown
    with pytest.raises(UserError, match="No bundle .* was prepared here"):
        company.finish()  # what the signer saw is not what this server prepared


def test_a_payload_that_is_not_the_signers_is_not_signed(company: Company) -> None:
    company.prepare(company.file(seed=666))
    assert "Not compared: office.msi" in refused_to_sign(company)
    honest = company.file("honest.msi", seed=1)
    assert "is no file of this bundle" in refused_to_sign(company, "--payload", honest)
    assert "There is no file" in refused_to_sign(company, "--payload", company.directory / "none")
    assert "not compared with a file here: office.msi" in company.sign(company.alice, "--without-payload")


def test_a_torrent_of_another_content_is_not_signed(company: Company) -> None:
    other = company.prepare(company.file("evil.msi", seed=666), "other")
    (evil,) = (data for name, data in other.documents.items() if name.startswith("torrents/"))
    file = company.file()
    bundle = company.prepare(file)
    (torrent,) = (name for name in bundle.documents if name.startswith("torrents/"))
    bundle = with_target(bundle, torrent, evil)
    write_bundle(company.bundle, bundle)
    assert "says of torrents beside a manifest is not what it lists" in refused_to_sign(company, "--payload", file)

    def say_so(manifests: Targets) -> None:
        entry = TargetFile.from_data(torrent, evil, ["sha256"])
        named = {torrent.removeprefix("torrents/")[:8]: [entry.length, entry.hashes["sha256"]]}
        manifests.targets["patches/office@1.0.manifest"].unrecognized_fields["custom"] = {"torrents": named}

    write_bundle(company.bundle, changed(bundle, role_listing("patches/office@1.0.manifest"), say_so))
    assert "torrent in this bundle is not that of" in refused_to_sign(company, "--payload", file)


def test_more_than_additions_is_signed_only_by_those_who_allow_it(company: Company) -> None:
    publish(company, company.file(), "office")
    file = company.file("word.msi", seed=2)
    bundle = company.prepare(file, "word")

    role = role_listing("patches/office@1.0.manifest")

    def remove(patches: Targets) -> None:
        del patches.targets["patches/office@1.0.manifest"]

    write_bundle(company.bundle, changed(with_role(company, bundle, role), role, remove))
    assert "does more than add" in refused_to_sign(company, "--payload", file)
    shown = company.sign(company.alice, "--payload", file, "--allow-changes")
    assert "!!   removed: patches/office@1.0.manifest" in shown


def publish(company: Company, file: Path, patch_id: str, version: str = "1.0") -> None:
    company.prepare(file, patch_id, version)
    company.sign(company.alice, "--payload", file)
    company.finish()


def test_what_was_published_never_changes(company: Company) -> None:
    publish(company, company.file(), "office")
    file = company.file("word.msi", seed=2)
    bundle = company.prepare(file, "word")
    name = "patches/office@1.0.manifest"
    bundle = with_role(company, bundle, role_listing(name))
    evil = with_target(bundle, name, bundle.documents["patches/word@1.0.manifest"])
    (published,) = company.home.tuf_targets.rglob("*.office@1.0.manifest")
    write_bundle(company.bundle, msgspec.structs.replace(evil, before={**evil.before, name: published.read_bytes()}))
    assert "it is the content of patches/word@1.0.manifest" in refused_to_sign(
        company, "--payload", file, "--allow-changes"
    )


def test_an_order_that_lets_older_publications_back_is_loud(company: Company) -> None:
    for version in ("1.0", "1.1"):
        publish(company, company.file(f"{version}.msi", seed=int(version[-1]) + 1), "office", version)
    file = company.file("word.msi", seed=9)
    bundle = company.prepare(file, "word")
    order = decode_order(bundle.documents[ORDER_TARGET])
    older = {**order.patches, "office": Publications(newest=2, lowest=1)}
    evil = encode_order(PublicationOrder(format=1, patches=older))
    write_bundle(company.bundle, with_target(bundle, ORDER_TARGET, evil))
    assert "does more than add" in refused_to_sign(company, "--payload", file)
    shown = company.sign(company.alice, "--payload", file, "--allow-changes")
    assert "!!   order of office: newest publication 2, lowest that may be installed 2 → newest publication 2" in shown


def test_a_part_of_the_order_says_what_is_shown(company: Company) -> None:
    publish(company, company.file(), "office")
    file = company.file("word.msi", seed=9)
    bundle = company.prepare(file, "word")
    evil = encode_order(PublicationOrder(format=1, patches={"word": Publications(newest=9, lowest=1)}))
    write_bundle(company.bundle, with_target(bundle, part_target("word"), evil))
    assert "it is not what patches/order says" in refused_to_sign(company, "--payload", file, "--allow-changes")


def test_patches_are_divided_among_no_other_keys(company: Company) -> None:
    file = company.file()
    bundle = company.prepare(file)
    key = public_key(Ed25519PrivateKey.generate())

    def let_in(patches: Targets) -> None:
        patches.add_key(key, "order")

    def take_back(patches: Targets) -> None:
        patches.delegations = None

    for change in (let_in, take_back):
        write_bundle(company.bundle, changed(bundle, "patches", change))
        assert "divides patches among other roles or keys" in refused_to_sign(company, "--payload", file)


def far_version(signed: Any) -> None:
    signed.version = 2**31


def older_version(signed: Any) -> None:
    signed.version = 1


def long_life(signed: Any) -> None:
    signed.expires = signed.expires.replace(year=signed.expires.year + 10)


def other_field(signed: Any) -> None:
    signed.unrecognized_fields["x"] = 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (far_version, "has version 2147483648 of patches, which does not follow"),
        (older_version, "has version 1 of patches"),
        (long_life, "valid for longer than it may be"),
        (other_field, "changes parts of patches"),
    ],
)
def test_metadata_that_no_publication_needs_is_not_signed(
    company: Company, change: Callable[[Any], None], words: str
) -> None:
    file = company.file()
    write_bundle(company.bundle, changed(company.prepare(file), "patches", change))
    assert words in refused_to_sign(company, "--payload", file, "--allow-changes")


def outside(bundle: Bundle) -> Bundle:
    return with_target(bundle, "rollouts/current", b"")


def unknown_kind(bundle: Bundle) -> Bundle:
    return with_target(bundle, "patches/tool.exe", b"MZ")


def wrong_name(bundle: Bundle) -> Bundle:
    return with_target(bundle, "patches/a@9.manifest", bundle.documents["patches/office@1.0.manifest"])


def lonely_torrent(bundle: Bundle) -> Bundle:
    return with_target(bundle, f"torrents/{'a' * 64}.torrent", b"de")


def without_document(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, documents={})


def other_document(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, documents={name: data + b"x" for name, data in bundle.documents.items()})


def stray_document(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, documents={**bundle.documents, "patches/x": b"x"})


def no_current(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, current={"targets": bundle.current["targets"]})


def no_targets(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, current={"patches": bundle.current["patches"]})


def forged_current(bundle: Bundle) -> Bundle:
    """What is in force, with a line less, so that a removal looks like nothing."""
    metadata: Metadata[Targets] = Metadata.from_bytes(bundle.current["patches"])
    metadata.signed.unrecognized_fields["y"] = 1
    return msgspec.structs.replace(bundle, current={**bundle.current, "patches": metadata.to_bytes()})


def signed_by_a_stranger(bundle: Bundle) -> Bundle:
    key = Ed25519PrivateKey.generate()
    signature = Metadata[Any].from_bytes(bundle.proposed["patches"]).sign(CryptoSigner(key))
    return bundle.with_signatures((RoleSignature("patches", signature.keyid, signature.signature),))


def signed_for_another_role(bundle: Bundle) -> Bundle:
    return bundle.with_signatures((RoleSignature("profiles", "a" * 64, "b" * 128),))


def no_metadata(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, proposed={"patches": b"[" * 1_000})


def of_another_type(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, proposed={"patches": bundle.roots[0]})


@pytest.mark.parametrize(
    "change",
    [
        outside, unknown_kind, wrong_name, lonely_torrent, without_document, other_document, stray_document, no_current,
        no_targets, forged_current, signed_by_a_stranger, signed_for_another_role, no_metadata, of_another_type,
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_as_prepared_is_not_signed(company: Company, change: Callable[[Bundle], Bundle]) -> None:
    file = company.file()
    write_bundle(company.bundle, change(company.prepare(file)))
    message = refused_to_sign(company, "--payload", file, "--allow-changes")
    assert "must not be signed" in message or "is not whole" in message


def test_bytes_that_are_no_bundle(company: Company) -> None:
    file = company.file()
    good = encode_bundle(company.prepare(file))
    for data in (b"", b"\x80", good[:-1], good + b"x", b"\xdd\xff\xff\xff\xff", good.replace(b"format", b"farmot")):
        company.bundle.write_bytes(data)
        assert "is no bundle of this release" in refused_to_sign(company, "--payload", file)
        with pytest.raises(UserError, match="is no bundle of this release"):
            company.finish()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Company:
    company = Company(tmp_path_factory.mktemp("company"))
    script = company.file()
    script.write_bytes(b"#!/bin/sh\n")
    payload = (PayloadFile(script.as_posix()),)
    install = ScriptInstall(interpreter="sh", arguments=("-x",))
    recipe = Recipe(patch_id="a", version="1", payload=payload, install=install, detect=(UnitCheck(unit="a.service"),))
    # not by its command, which would set up the log for the whole file
    prepare_publication(Context(company.home), Actor.local_user("ann"), Publication(recipe), company.bundle)
    return company


@given(data=st.data())
def test_whatever_a_bundle_holds_ends_in_words_and_without_a_signature(prepared: Company, data: st.DataObject) -> None:
    """Bytes of the file and of the metadata in it are changed, so that both decoders are reached."""
    bundle = read_bundle(prepared.bundle)
    whole = bytearray(encode_bundle(bundle))
    part = data.draw(st.sampled_from(["file", "proposed", "current", "roots"]))
    pools = {"proposed": bundle.proposed["patches"], "current": bundle.current["patches"], "roots": bundle.roots[0]}
    changed_part = whole if part == "file" else bytearray(pools[part])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed_part) - 1))
        changed_part[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = prepared.directory / "mutated.bundle"
    if part == "file":
        path.write_bytes(whole)
    else:
        other: Any = {"roots": (bytes(changed_part),)} if part == "roots" else {part: {**getattr(bundle, part)}}
        if part != "roots":
            other[part]["patches"] = bytes(changed_part)
        write_bundle(path, msgspec.structs.replace(bundle, **other))
    before = path.read_bytes()
    try:
        review = open_review(path, prepared.alice, root=None, files=[], now=time.time(), on_bytes=lambda *_: None)
        lines = review.lines
    except UserError as error:
        lines = (error.message,)
    assert all(line.isprintable() for line in lines)
    assert path.read_bytes() == before


# --- whose root it is -----------------------------------------------------------------------------


def test_a_root_that_the_signer_does_not_trust_leads_to_nothing(company: Company, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    evil = Company(tmp_path / "evil")
    file = company.file()
    company.prepare(file)
    shutil.copyfile(company.bundle, evil.bundle)
    assert "of another repository" in refused_to_sign(evil, "--payload", file)
    # a root of the attacker's as the next version, signed by itself alone
    bundle = company.prepare(file)
    forged = Metadata[Any].from_bytes(evil.root)
    forged.signed.version = 2
    forged.sign(CryptoSigner(load_signing_key(evil.alice / "root.pem", None)))
    write_bundle(company.bundle, msgspec.structs.replace(bundle, roots=(*bundle.roots, forged.to_bytes())))
    assert "root metadata is not signed by the keys that you trust" in refused_to_sign(company, "--payload", file)


def test_a_folder_without_a_root_is_given_one_once(company: Company) -> None:
    file = company.file()
    company.prepare(file)
    (company.alice / "trusted-root.json").unlink()
    assert "trusts no root yet" in refused_to_sign(company, "--payload", file)
    company.sign(company.alice, "--payload", file, "--root", company.trusted)
    company.sign(company.alice, "--payload", file)


def test_an_older_state_is_not_signed_again(company: Company) -> None:
    older = company.prepare(company.file())
    company.on_server("prepared", "--drop", older.bundle_id)
    for number in range(2):
        publish(company, company.file(f"{number}.msi", seed=10 + number), "office", f"2.{number}")
    write_bundle(company.bundle, older)
    assert re.search("have signed version [0-9]+ already", refused_to_sign(company, "--without-payload"))


def test_another_key_under_a_known_id_is_not_signed(company: Company) -> None:
    company.elsewhere("keys", "new", "patches", "--keys", company.bob)
    public = company.bob / "patches.pub"
    company.on_server("keys", "set", "patches", "--add", public, "--prepare", company.bundle)
    bundle = read_bundle(company.bundle)
    evil = SSlibKey.from_crypto(Ed25519PrivateKey.generate().public_key())

    for victim in (key_id(company.alice), key_id(company.bob)):

        def swap(targets: Targets, victim: str = victim) -> None:
            assert targets.delegations is not None
            targets.delegations.keys[victim].keyval["public"] = evil.keyval["public"]

        write_bundle(company.bundle, changed(bundle, "targets", swap))
        assert "must not be signed" in refused_to_sign(company, "--allow-changes")


def test_new_keys_and_thresholds_are_shown_and_must_be_allowed(company: Company) -> None:
    company.elsewhere("keys", "new", "patches", "--keys", company.bob)
    public = company.bob / "patches.pub"
    company.on_server("keys", "set", "patches", "--add", public, "--threshold", 2, "--prepare", company.bundle)
    assert "does more than add" in refused_to_sign(company)
    shown = company.sign(company.alice, "--allow-changes")
    assert f"!!   the key {short_id(company.bob)} may sign patches ({key_id(company.bob)})" in shown
    assert "!!   threshold of patches: 1 → 2" in shown


# --- on the way back, and on the server -----------------------------------------------------------


async def test_what_changed_on_the_way_back_is_not_finished(company: Company) -> None:
    file = company.file()
    honest = company.prepare(file)
    company.sign(company.alice, "--payload", file)
    signed = read_bundle(company.bundle)
    for altered in (
        msgspec.structs.replace(signed, purpose="other"),
        msgspec.structs.replace(signed, documents=dict.fromkeys(signed.documents, b"evil")),
        changed(signed, "order", lambda order: order.targets.clear()),
    ):
        write_bundle(company.bundle, altered)
        with pytest.raises(UserError, match="No bundle .* was prepared here"):
            company.finish()
    stranger = signed_by_a_stranger(honest)
    write_bundle(company.bundle, stranger)
    with pytest.raises(UserError, match="0 of 1 signatures"):
        company.finish()
    assert await company.seen_by() == []
    write_bundle(company.bundle, stranger.with_signatures(signed.signatures))
    company.finish()
    assert await company.seen_by() == ["office@1.0"]


async def test_a_publication_in_between_leaves_the_older_bundle_unfinished(company: Company) -> None:
    first = company.file()
    company.prepare(first)
    company.sign(company.alice, "--payload", first)
    kept = read_bundle(company.bundle)
    publish(company, company.file("word.msi", seed=2), "word")
    write_bundle(company.bundle, kept)
    with pytest.raises(UserError, match="older state of patches.*Prepare it again"):
        company.finish()
    assert await company.seen_by() == ["word@1.0"]
    assert "outdated" in company.on_server("prepared")
    publish(company, first, "office")
    assert await company.seen_by() == ["word@1.0", "office@1.0"]
    company.on_server("prepared", "--drop", kept.bundle_id)
    assert "Nothing waits" in company.on_server("prepared")
    assert {path.name for path in company.home.content.iterdir() if not path.suffix} == {
        payload.sha256 for manifest in company.repository().manifests() for payload in manifest.payloads
    }
