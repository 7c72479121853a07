"""`seed_server.signer.words`: whatever a manifest can say is shown to whoever signs it."""

from typing import Any

import msgspec
import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.approvers import Approvers, encode_approvers
from p2pdist.shared.manifest.documents import Manifest, Payload, encode_manifest
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PublicationOrder, Publications, encode_order
from p2pdist.shared.manifest.recalls import Recall, Recalls, encode_recalls
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    HealthCheck,
    MsiInstall,
    MsuInstall,
    PackageCheck,
    RpmInstall,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.site_profile import SiteProfile, encode_site_profile, profile_target
from p2pdist.shared.manifest.template import Template, TemplateItem, encode_template
from seed_server.signer.words import manifests_of, review_lines
from seed_server.signing.bundle import Bundle, OfflineRole
from seed_server.signing.bundle_check import CheckedBundle, RoleChange

NOW = 1_900_000_000.0
HASH = "a" * 64
PAYLOAD = Payload("setup.sh", 7, "b" * 64, HASH)
MANIFEST = Manifest(
    format=1, patch_id="acme", version="1", title="Acme", severity="low", cvss=None, published_at=int(NOW),
    payloads=[PAYLOAD],
)  # fmt: skip
BUNDLE = Bundle(
    format=1, server="hq", purpose="p", prepared_by="a", prepared_at=0, roots=(b"r",), current={},
    proposed={"root": b"r"}, documents={},
)  # fmt: skip


def checked(role: OfflineRole = "patches", **fields: Any) -> CheckedBundle:
    nothing: dict[str, Any] = {"added": {}, "replaced": {}, "removed": (), "powers": (), "before": {}}
    change = RoleChange(role=role, version=2, expires_at=NOW, **{"kept": frozenset()} | nothing | fields)
    return CheckedBundle(BUNDLE, b"", (change,), ())


def text_of(manifest: Manifest, *torrents: str) -> str:
    added = {f"patches/{manifest.patch_id}@{manifest.version}.manifest": encode_manifest(manifest)}
    return "\n".join(review_lines(checked(added=added | {f"torrents/{one}.torrent": b"d" for one in torrents})))


SCRIPT = ScriptInstall(interpreter="sh", arguments=("-x",))
EXE = ExeInstall(arguments=("/S",), uninstall=("C:\\x.exe", "/u"))
CHECK = FileCheck(path="/opt/acme/VERSION")
OTHERS: list[dict[str, Any]] = [
    {"number": 2}, {"replaces": {"old": 3}}, {"downgrade": True},
    {"title": "Acme 2"}, {"titles": {"ja": "アクメ"}}, {"severity": "high"}, {"cvss": 7.5}, {"published_at": 1},
    {"cves": ("CVE-2026-1234",)},
    {"requires": ("base@2",)},
    {"supersedes": ("old",)}, {"conflicts": ("new",)}, {"applies_to": 'os.family == "debian"'},
    {"payloads": [PAYLOAD, Payload("other.sh", 8, "c" * 64, "d" * 64, "debian", "amd64", "ja")]},
    {"install": DebInstall(package="acme")}, {"install": RpmInstall(package="acme", timeout_seconds=5)},
    {"install": ArchiveInstall(directory="/opt/acme")},
    {"install": ArchiveInstall(directory="/opt/acme", strip_components=1, keep_versions=3)},
    {"install": SCRIPT, "detect": (CHECK,)},
    {"install": msgspec.structs.replace(SCRIPT, rollback_arguments=()), "detect": (CHECK,)},
    {"install": msgspec.structs.replace(SCRIPT, success_codes=(0, 3)), "detect": (CHECK,)},
    {"install": MsiInstall(product_code=f"{{{'0' * 8}-0000-0000-0000-{'0' * 12}}}"), "detect": (CHECK,)},
    {"install": MsiInstall(product_code=f"{{{'0' * 8}-0000-0000-0000-{'0' * 12}}}", properties={"KEY": "1"}),
     "detect": (CHECK,)},
    {"install": MsuInstall(kb=5), "detect": (CHECK,)}, {"install": EXE, "detect": (CHECK,)},
    {"install": msgspec.structs.replace(EXE, reboot_codes=()), "detect": (CHECK,)},
    {"detect": (PackageCheck(name="acme", at_least="2"),)}, {"detect": (FileCheck(path="/x", sha256="a" * 64),)},
    {"detect": (CommandCheck(command=("/bin/x", "-V"), output="2", exit_code=1, timeout_seconds=9),)},
    {"install": DebInstall(package="acme"),
     "health": HealthCheck(checks=(UnitCheck(unit="acme.service"),), within_seconds=9)},
    {"schedule": ScheduleRules(windows=("mon-fri 22:00-05:00",))}, {"schedule": ScheduleRules(emergency=True)},
    {"schedule": ScheduleRules(deadline="2030-01-01T00:00", grace_minutes=5, deferrals=2, reboot="window")},
]  # fmt: skip


def test_every_difference_between_two_manifests_is_seen() -> None:
    manifests = [MANIFEST, *(msgspec.structs.replace(MANIFEST, **other) for other in OTHERS)]
    texts = [text_of(manifest) for manifest in manifests]
    assert len(set(texts)) == len(manifests)
    changed = {name for other in OTHERS for name in other}
    assert changed == set(Manifest.__struct_fields__) - {"format", "patch_id", "version"}, (
        "a new field needs a case above"
    )


def test_what_is_run_is_said_in_one_line_each() -> None:
    text = text_of(msgspec.structs.replace(MANIFEST, install=SCRIPT, detect=(CHECK,)))
    for words in ("is installed as below", "install: script", 'arguments: ["-x"]', 'path: "/opt/acme/VERSION"'):
        assert words in text
    assert "for every PC" in text
    assert f"file setup.sh, 7 B, SHA-256 {'b' * 64}" in text


def test_no_sign_reaches_the_terminal_that_could_move_it() -> None:
    for title in ("x\x1b[2Ky", "x\u202ey", "x\x9by"):
        lines = review_lines(checked(removed=(title,), powers=(title,)))
        assert all(line.isprintable() for line in lines)


def test_what_does_not_stay_as_it_was_is_loud() -> None:
    lines = review_lines(checked(removed=("patches/a@1.manifest",), powers=("threshold of patches: 2 → 1",)))
    assert [line for line in lines if line.startswith("!! ")] == [
        "!!   threshold of patches: 2 → 1",
        "!!   removed: patches/a@1.manifest",
    ]
    assert review_lines(checked())[1:] == ["  the content stays as it is"]


def test_a_new_version_takes_the_place_of_the_older_one_quietly() -> None:
    added = {"patches/acme@1.manifest": encode_manifest(MANIFEST), f"torrents/{HASH}.torrent": b"d"}
    removed = ("patches/acme@0.9.manifest", f"torrents/{'e' * 64}.torrent")
    quiet = checked(added=added, removed=removed)
    assert not [line for line in review_lines(quiet) if line.startswith("!!")]
    for other in (("patches/other@1.manifest",), (f"torrents/{'e' * 64}.torrent",), ("templates/x",)):
        loud = checked(added=added, removed=other)
        assert [line for line in review_lines(loud) if line.startswith("!!")] == [f"!!   removed: {other[0]}"]


def test_profiles_and_templates_are_shown_whole() -> None:
    text = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
    profile = encode_site_profile(SiteProfile(format=1, site="oslo", text=text))
    target = profile_target(SiteName("oslo"))
    shown = "\n".join(review_lines(checked("profiles", added={target: profile})))
    assert "the throttle profile of the site oslo" in shown
    assert all(line in shown for line in text.splitlines())
    template = Template(format=1, name="t", title="T", items=(TemplateItem("old", expression='"x" in tags'),))
    shown = "\n".join(review_lines(checked(replaced={"templates/t": encode_template(template)})))
    assert "!!   replaced: templates/t" in shown
    assert 'expression: "\\"x\\" in tags"' in shown
    with pytest.raises(UserError, match="it is the content of"):
        review_lines(checked("profiles", added={profile_target(SiteName("paris")): profile}))


def test_a_manifest_and_its_torrents_come_together() -> None:
    added = {"patches/acme@1.manifest": encode_manifest(MANIFEST)}
    whole = checked(added=added | {f"torrents/{HASH}.torrent": b"d"})
    assert manifests_of(whole) == [MANIFEST]
    for part in (checked(added=added), checked(added={f"torrents/{HASH}.torrent": b"d"})):
        with pytest.raises(UserError, match="come together"):
            manifests_of(part)


def order(**patches: tuple[int, ...]) -> bytes:
    """Return the order with the newest, the lowest, and those that are gone, of each patch."""
    found = {
        patch_id: Publications(newest=newest, lowest=lowest, gone=tuple(gone))
        for patch_id, (newest, lowest, *gone) in patches.items()
    }
    return encode_order(PublicationOrder(format=1, patches=found))


@pytest.mark.parametrize(
    ("before", "after", "quiet"),
    [
        ({}, {"acme": (1, 1)}, True),
        ({"acme": (1, 1)}, {"acme": (2, 2)}, True),
        ({"acme": (1, 1), "word": (5, 5)}, {"acme": (2, 2), "word": (5, 5)}, True),
        ({"acme": (1, 1)}, {"acme": (2, 1)}, True),  # it is for rings: what may be installed still may be
        ({"acme": (2, 2)}, {"acme": (3, 1)}, False),  # an older one may come back
        ({"acme": (1, 1)}, {"acme": (2, 3)}, False),  # none may be installed
        ({"acme": (1, 1)}, {"acme": (9, 9)}, False),  # numbers are used up
        ({"acme": (1, 1)}, {}, False),
        ({"acme": (1, 1), "word": (5, 5)}, {"acme": (2, 2), "word": (5, 4)}, False),  # another one comes back
        ({"acme": (1, 1), "word": (5, 5)}, {"acme": (2, 2)}, False),
        ({"acme": (1, 1)}, {"acme": (2, 2), "word": (1, 1)}, False),
        ({"acme": (2, 1, 2)}, {"acme": (3, 1, 2)}, True),
        ({"acme": (2, 1, 2)}, {"acme": (3, 3)}, True),
        ({"acme": (2, 1, 2)}, {"acme": (3, 1)}, False),  # one that was gone for good comes back
        ({"acme": (2, 1)}, {"acme": (3, 1, 2)}, False),  # one more is gone
    ],
)
def test_only_the_number_of_the_new_publication_is_quiet(
    before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]], quiet: bool
) -> None:
    number = max(before.get("acme", (0, 0))[0] + 1, 1)
    manifest = msgspec.structs.replace(MANIFEST, number=number)
    added = {"patches/acme@1.manifest": encode_manifest(manifest), f"torrents/{HASH}.torrent": b"d"}
    change: dict[str, Any] = {}
    if before:
        change = {"replaced": {ORDER_TARGET: order(**after)}, "before": {ORDER_TARGET: order(**before)}}
    else:
        added[ORDER_TARGET] = order(**after)
    lines = review_lines(checked(added=added, **change))
    assert any("order of " in line for line in lines)
    assert any(line.startswith("!!") for line in lines) is not quiet


def test_going_back_is_loud_and_any_other_change_of_what_was_published_is_refused() -> None:
    target = "patches/acme@1.manifest"
    back = encode_manifest(msgspec.structs.replace(MANIFEST, downgrade=True, number=3))
    change: dict[str, Any] = {
        "before": {target: encode_manifest(MANIFEST)},
        "kept": frozenset({f"torrents/{HASH}.torrent"}),
    }
    lines = review_lines(checked(replaced={target: back}, **change))
    assert [line.strip() for line in lines if line.startswith("!!")] == [
        "!!   replaced: patches/acme@1.manifest",
        "!!   PCs go back to acme@1 from later ones",
    ]
    assert [one.number for one in manifests_of(checked(replaced={target: back}, **change))] == [3]
    with pytest.raises(UserError, match="what was published once never changes"):
        review_lines(checked(replaced={target: encode_manifest(MANIFEST)}, **change))


def test_approvers_are_shown_whole_and_what_goes_back_is_loud() -> None:
    approvers = Approvers(format=1, keys={"kim": b"k" * 32}, required=1, required_in_emergency=1, since=int(NOW))
    data = encode_approvers(approvers)
    shown = review_lines(checked(added={"patches/approvers": data}))
    assert f"    | {'6b' * 32} kim" in shown
    other = encode_approvers(msgspec.structs.replace(approvers, since=0))
    assert "!!   replaced: patches/approvers" in review_lines(checked(replaced={"patches/approvers": other}))
    old, new = Recall("acme", 1, "", "crashes", 1), Recall("word", 2, 'site == "oslo"', "crashes too", 2)
    one, both, two = (encode_recalls(Recalls(1, recalls)) for recalls in ((old,), (old, new), (new,)))
    assert "!!   PCs go back from acme, publications up to 1: crashes" in review_lines(
        checked(added={"patches/recalls": one})
    )
    change: dict[str, Any] = {"replaced": {"patches/recalls": both}, "before": {"patches/recalls": one}}
    loud = [line for line in review_lines(checked(**change)) if line.startswith("!!")]
    assert loud == [
        "!!   replaced: patches/recalls",
        '!!   PCs go back from word, publications up to 2 where site == "oslo": crashes too',
    ]
    change["replaced"] = {"patches/recalls": two}
    assert "!!   no more: PCs go back from acme, publications up to 1: crashes" in review_lines(checked(**change))
    rings = (PlannedRing("test", 'site == "oslo"'), PlannedRing("few", share=1_000), PlannedRing("all"))
    plan = RolloutPlan(
        format=1, patch_id="acme", version="1", number=1, manifest_sha256="0" * 64, salt=b"s" * 16, rings=rings,
        silent_after_seconds=0,
    )  # fmt: skip
    of_rings = msgspec.structs.replace(old, plan=plan, ring=1)
    assert (
        "!!   PCs go back from acme, publications up to 1 from ring few on, of "
        f'test (100 % where site == "oslo"), few (10 %), all (100 %), drawn by {"73" * 16}: crashes'
    ) in review_lines(checked(added={"patches/recalls": encode_recalls(Recalls(1, (of_rings,)))}))
