"""Reading the catalogue: one bad patch never holds up the others."""

import pytest

from p2pdist.core.catalogue import DocumentError, read_patches, read_profile, read_templates
from p2pdist.identifiers import PatchId, PatchVersion, SiteName, TorrentHash
from p2pdist.manifest import Manifest, Payload, RolloutEntry, Rollouts, encode_manifest, manifest_target, torrent_target
from p2pdist.manifest.template import MAX_TEMPLATES, Template, TemplateItem, encode_template, template_target

HASH = "ab" * 32


def path_of(name: str) -> str:
    return manifest_target(PatchId(name), PatchVersion("1"))


def entry(name: str, sequence: int) -> RolloutEntry:
    return RolloutEntry(patch_id=name, version="1", sequence=sequence)


def documents(*names: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {torrent_target(TorrentHash(HASH)): b"torrent"}
    for name in names:
        payload = Payload(file_name="f", length_bytes=1, sha256=HASH, torrent_hash=HASH)
        manifest = Manifest(
            format=1,
            patch_id=name,
            version="1",
            title="",
            severity="low",
            cvss=None,
            published_at=0,
            payloads=[payload],
        )
        found[path_of(name)] = encode_manifest(manifest)
    return found


def read(found: dict[str, bytes], *entries: RolloutEntry, max_bytes: int = 10_000) -> tuple[list[str], list[str]]:
    def get(path: str, cap: int) -> bytes:
        if path not in found:
            raise DocumentError("missing")
        if len(found[path]) > cap:
            raise DocumentError("too large")
        return found[path]

    patches, refused = read_patches(Rollouts(format=1, entries=list(entries)), get, max_bytes=max_bytes)
    return [p.entry.patch_id for p in patches], [f"{r.entry.patch_id}: {r.reason}" for r in refused]


def test_patches_come_by_sequence() -> None:
    assert read(documents("a", "b"), entry("a", 2), entry("b", 1)) == (["b", "a"], [])


def test_a_missing_manifest_refuses_that_patch_alone() -> None:
    assert read(documents("b"), entry("a", 1), entry("b", 2)) == (["b"], ["a: missing"])


def test_a_manifest_of_another_patch_is_refused() -> None:
    found = documents("a", "b")
    found[path_of("a")] = found[path_of("b")]
    taken, refused = read(found, entry("a", 1), entry("b", 2))
    assert taken == ["b"]
    assert "is the manifest of b@1" in refused[0]


def test_a_damaged_manifest_is_refused() -> None:
    taken, refused = read({**documents("a", "b"), path_of("a"): b"\xc1"}, entry("a", 1), entry("b", 2))
    assert taken == ["b"]
    assert len(refused) == 1


def test_a_patch_that_is_rolled_out_twice_is_taken_once() -> None:
    assert read(documents("a"), entry("a", 1), entry("a", 2)) == (["a"], ["a: it is rolled out twice"])


@pytest.mark.parametrize(("spare", "count"), [(0, 2), (-1, 1)])
def test_the_cap_on_all_documents_holds(spare: int, count: int) -> None:
    found = documents("a", "b")
    size = 2 * len(b"torrent") + sum(len(found[path_of(name)]) for name in ("a", "b"))
    taken, refused = read(found, entry("a", 1), entry("b", 2), max_bytes=size + spare)
    assert (len(taken), len(refused)) == (count, 2 - count)


@pytest.mark.parametrize("content", [b"junk", b"", None], ids=["junk", "empty", "cannot be had"])
def test_profile_that_cannot_be_used_is_none_and_holds_up_nothing(content: bytes | None) -> None:
    def get(_path: str, _cap: int) -> bytes:
        if content is None:
            raise DocumentError("gone")
        return content

    assert read_profile(SiteName("oslo"), lambda _: True, get) is None
    assert read_profile(None, lambda _: True, get) is None
    assert read_profile(SiteName("oslo"), lambda _: False, get) is None


def template(name: str) -> bytes:
    item = TemplateItem(label="kiosks", expression='"kiosk" in tags')
    return encode_template(Template(format=1, name=name, title="", items=(item,)))


def test_one_bad_template_never_holds_up_the_others() -> None:
    found = {
        template_target(name): content
        for name, content in {"b": template("b"), "a": template("a"), "junk": b"junk", "other": template("a")}.items()
    }

    def get(path: str, cap: int) -> bytes:
        if path not in found:
            raise DocumentError("not signed")
        assert cap >= len(found[path])
        return found[path]

    names = [*found, template_target("gone")]
    assert [one.name for one in read_templates(names, get)] == ["a", "b"]


def test_no_more_templates_than_the_cap() -> None:
    targets = [template_target(f"t{n:03}") for n in range(MAX_TEMPLATES + 10)]
    taken = read_templates(targets, lambda path, _: template(path.rpartition("/")[2]))
    assert [one.name for one in taken] == [f"t{n:03}" for n in range(MAX_TEMPLATES)]
