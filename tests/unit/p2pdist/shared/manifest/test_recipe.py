"""`p2pdist.shared.manifest.documents`: recipes that no PC could carry out are refused, wherever they come from."""

from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.shared.manifest.documents import DecodeError, Manifest, Payload, decode_manifest, encode_manifest
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
    SelfUpgrade,
    UnitCheck,
)

CODE = "{90160000-0011-0000-0000-0000000FF1CE}"
CHECK = FileCheck(path="/opt/acme/VERSION")
MANIFEST = Manifest(
    format=1,
    patch_id="acme",
    version="2.1",
    title="",
    severity="high",
    cvss=None,
    published_at=0,
    payloads=[Payload(file_name="a.tar", length_bytes=1, sha256="0" * 64, torrent_hash="1" * 64)],
)


def back(**fields: Any) -> Manifest:
    return decode_manifest(encode_manifest(replace(MANIFEST, **fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"install": DebInstall(package="acme-agent")},
        {"install": ArchiveInstall(directory="/a"), "health": HealthCheck(checks=(UnitCheck(unit="a@1.service"),))},
        {"install": ScriptInstall(interpreter="sh", arguments=("", "-x", "a b", "$(reboot)")), "detect": (CHECK,)},
        {"install": MsiInstall(product_code=CODE, properties={"INSTALLDIR": "C:\\Acme"}), "detect": (CHECK,)},
        {"install": ExeInstall(uninstall=("C:\\Acme\\unins.exe", "/S")), "detect": (CHECK,)},
        {"requires": ("base", "other@1.0"), "applies_to": 'os.family == "debian"'},
        {"schedule": ScheduleRules(windows=("mon-fri 22:00-05:00",), deadline="2026-12-01T18:00", grace_minutes=30)},
        {"detect": (PackageCheck(name="acme", at_least="2.1"), CommandCheck(command=("/bin/true",)))},
    ],
)  # fmt: skip
def test_a_recipe_survives_the_wire(fields: dict[str, Any]) -> None:
    assert back(**fields) == replace(MANIFEST, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"requires": ("../x",)}, "patch id"),
        ({"applies_to": "os.family = 1"}, "applies_to: column"),
        ({"install": DebInstall(package="-o=x")}, "no name of a package"),
        ({"install": ArchiveInstall(directory="opt/acme")}, "no absolute path"),
        ({"install": ArchiveInstall(directory="/opt/../etc")}, "no absolute path"),
        ({"install": ArchiveInstall(directory="/etc/acme")}, "directory: /etc/acme is the system's, or shared; give"),
        ({"install": ScriptInstall(interpreter="sh", arguments=("a\0b",)), "detect": (CHECK,)}, "no argument can have"),
        ({"install": ScriptInstall(interpreter="sh")}, "detect: say how"),
        ({"install": MsiInstall(product_code="acme"), "detect": (CHECK,)}, "product code"),
        ({"install": MsiInstall(product_code=CODE, properties={"A": 'x" /qb'}), "detect": (CHECK,)}, "property 'A'"),
        ({"install": ExeInstall(uninstall=("unins.exe",)), "detect": (CHECK,)}, "uninstall"),
        ({"detect": (FileCheck(path="/x", sha256="AB"),)}, "detect 1"),
        ({"detect": (CHECK, CommandCheck(command=("true",)))}, "detect 2, command"),
        ({"health": HealthCheck(checks=(CHECK,))}, "health: nothing is installed"),
        ({"schedule": ScheduleRules(windows=("someday",))}, "schedule, windows"),
        ({"schedule": ScheduleRules(deadline="tomorrow")}, "schedule, deadline"),
        (
            {"schedule": ScheduleRules(deadline="9999-12-31", grace_minutes=5)},
            "schedule, deadline: .* for 'never' leave",
        ),
        ({"schedule": ScheduleRules(deadline="3000-01-01T00:00Z")}, "schedule, deadline: .* years 2000 and 2999"),
        ({"schedule": ScheduleRules(not_before="0001-01-01T00:00+14:00")}, "schedule, not_before: .* leave it out"),
        ({"schedule": ScheduleRules(not_before="1999-12-31T23:59")}, "schedule, not_before: .* years 2000 and"),
        ({"schedule": ScheduleRules(grace_minutes=5)}, "grace begins"),
        ({"payloads": [replace(MANIFEST.payloads[0], language="JA jp")]}, "payload"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        back(**fields)


def test_that_a_package_is_p2pdist_s_own_is_signed_and_a_release_that_does_not_know_it_is_told_of_no_other() -> None:
    own = SelfUpgrade(contact_within_minutes=5, restart=("/usr/bin/systemctl", "restart", "p2pdist.service"))
    assert back(install=DebInstall(package="p2pdist", self_upgrade=own)).install == DebInstall(
        package="p2pdist", self_upgrade=own
    )
    assert b"self_upgrade" not in encode_manifest(replace(MANIFEST, install=DebInstall(package="acme")))
    with pytest.raises(DecodeError, match="self_upgrade, restart"):
        back(install=DebInstall(package="p2pdist", self_upgrade=SelfUpgrade(restart=("systemctl",))))
