"""`seed_server.publishing.recipe_warnings`."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    HealthCheck,
    PackageCheck,
    RpmInstall,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.publishing.recipe_warnings import recipe_doubts

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
RECIPE = Recipe(
    patch_id="acme",
    version="2.1",
    applies_to="on_mains",
    payload=(PayloadFile("acme.deb"),),
    install=DebInstall(package="acme"),
    health=HealthCheck(checks=(UnitCheck(unit="acme.service"),)),
    schedule=ScheduleRules(windows=("22:00-05:00",), deadline="2026-06-02T00:00:01Z", not_before="2026-05-01"),
)
ARCHIVE: dict[str, Any] = {"install": ArchiveInstall(directory="/opt/acme/"), "payload": (PayloadFile("a.tar.gz"),)}
OUTPUT = CommandCheck(command=("/x",), output="2.1")


def checks(*commands: str) -> HealthCheck:
    return HealthCheck(checks=tuple(CommandCheck(command=(command,)) for command in commands))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"applies_to": "", "payload": (PayloadFile("acme.deb", platform="debian"),)},
        {"version": "2026-Q1_", "detect": (PackageCheck(name="acme", at_least="2.1"),)},
        {"install": None, "health": None, "applies_to": ""},
        {**ARCHIVE, "health": checks("/opt/acme/current/bin/acme", "/opt/acme2/x", "/bin/true")},
        {"install": ScriptInstall(interpreter="sh", rollback_arguments=()), "detect": (OUTPUT,)},
        {"schedule": ScheduleRules(emergency=True)},
        {"schedule": ScheduleRules(deadline="9999-12-31T23:59")},  # refused elsewhere, and no reason to fail here
    ],
)
def test_what_is_well_has_no_warning(changes: dict[str, Any]) -> None:
    assert recipe_doubts(replace(RECIPE, **changes), NOW) == []


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"patch_id": ""}, "patch_id", "--patch-id"),
        ({"version": ""}, "version", "--version"),
        ({"payload": ()}, "payload", "give the file"),
        ({"install": None, "health": None}, "applies_to", "only delivered"),
        ({"applies_to": ""}, "applies_to", "every PC of the fleet would try this deb"),
        ({"version": "Q1"}, "detect", "'Q1' is no Debian version"),
        ({"version": "1-2-3", "install": RpmInstall(package="a"), "payload": ()}, "detect", "is no RPM version"),
        ({"health": None}, "health", "would not be noticed"),
        ({"install": ScriptInstall(interpreter="sh"), "detect": (OUTPUT,)}, "install", "rollback_arguments"),
        ({"install": ExeInstall(), "detect": (OUTPUT,), "payload": (PayloadFile("a.EXE"),)}, "install", "uninstall"),
        ({"payload": (PayloadFile("a.deb", platform="ubuntu"),)}, "payload 1", "'ubuntu'; the usual words are linux"),
        ({"payload": (PayloadFile("a.deb", arch="x86_64"),)}, "payload 1", "'x86_64'; the usual words are amd64"),
        ({"payload": (PayloadFile("a.rpm"),)}, "payload 1", "does not look like deb"),
        ({**ARCHIVE, "health": checks("/opt/acme/versions/2.1/a")}, "health 1", "not below /opt/acme/current"),
        ({**ARCHIVE, "install": ArchiveInstall(directory="/home/acme")}, "install", "/home/acme is where users have"),
        ({**ARCHIVE, "install": ArchiveInstall(directory="/srv/acme")}, "install", "anybody but root could change"),
        ({"health": checks("/bin/true", "/var/tmp/acme/check")}, "health 2", "/var/tmp/acme/check is where users"),
        ({"detect": (CommandCheck(command=("/tmp/a",), output="x"),)}, "detect 1", "/tmp/a is where users have files"),
        (
            {"install": ExeInstall(uninstall=("D:\\Users\\a\\u.exe",)), "detect": (OUTPUT,)},
            "install",
            "where users have files",
        ),
        (
            {**ARCHIVE, "payload": (PayloadFile("a.zip"),), "health": checks("/opt/acme/current/a")},
            "health 1",
            "zip archive",
        ),
        (
            {
                "install": ScriptInstall(interpreter="sh", rollback_arguments=()),
                "detect": (CommandCheck(command=("/x",)),),
            },
            "detect 1",
            "expect an output",
        ),
        (
            {"install": ScriptInstall(interpreter="sh", rollback_arguments=()), "detect": (FileCheck(path="/x"),)},
            "detect 1",
            "add its sha256",
        ),
        ({"schedule": ScheduleRules(deadline="2026-05-31T23:59:59Z")}, "schedule, deadline", "is over"),
    ],
)
def test_what_may_surprise_is_told(changes: dict[str, Any], where: str, words: str) -> None:
    doubts = recipe_doubts(replace(RECIPE, **changes), NOW)
    assert (where, True) in [(doubt.where, words in doubt.text) for doubt in doubts]
    assert all(doubt.text.startswith(f"{doubt.where}: ") for doubt in doubts)


def test_a_check_that_a_later_version_meets_does_not_prove_a_step_back() -> None:
    back = replace(RECIPE, downgrade=True, detect=(PackageCheck(name="acme", at_least="1.0"),))
    assert [doubt.where for doubt in recipe_doubts(back, NOW) if "go back" in doubt.text] == ["detect 1"]
    assert not [d for d in recipe_doubts(replace(back, downgrade=False), NOW) if "go back" in d.text]
