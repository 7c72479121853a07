"""`seed_server.publishing.recipe_options`: options instead of a recipe, and beside one."""

from typing import Any

import pytest

from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    DebInstall,
    ExeInstall,
    HealthCheck,
    MsiInstall,
    MsuInstall,
    PackageCheck,
    RpmInstall,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from seed_server.publishing.check_shorthand import CheckTextError
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.publishing.recipe_options import OptionsError, with_options

NOTHING: dict[str, Any] = {"title": None, "detect": (), "emergency": False, "kb": None}
RECIPE = Recipe(
    patch_id="acme",
    version="2.1",
    cvss=5.0,
    requires=("base",),
    payload=(PayloadFile("acme.deb", arch="amd64"),),
    install=DebInstall(package="acme", timeout_seconds=5),
    detect=(PackageCheck(name="acme", at_least="2.1"),),
    health=HealthCheck(checks=(UnitCheck(unit="a"),), within_seconds=7),
    schedule=ScheduleRules(windows=("22:00-05:00",), deferrals=3),
)


def test_nothing_given_changes_nothing() -> None:
    assert with_options(RECIPE, NOTHING) == RECIPE
    assert with_options(Recipe(), NOTHING) == Recipe()


@pytest.mark.parametrize(
    ("given", "install"),
    [
        ({"kind": "deb", "package": "a"}, DebInstall(package="a")),
        ({"kind": "rpm"}, RpmInstall()),
        ({"kind": "msi"}, MsiInstall()),
        ({"kind": "rpm", "package": "a"}, RpmInstall(package="a")),
        ({"kind": "archive", "directory": "/a"}, ArchiveInstall(directory="/a")),
        ({"kind": "script", "interpreter": "sh"}, ScriptInstall(interpreter="sh")),
        (
            {"kind": "script", "interpreter": "sh", "arguments": ("-x", "a b")},
            ScriptInstall(interpreter="sh", arguments=("-x", "a b")),
        ),
        ({"kind": "msi", "product_code": "{1}"}, MsiInstall(product_code="{1}")),
        ({"kind": "msu", "kb": 5}, MsuInstall(kb=5)),
        ({"kind": "exe"}, ExeInstall()),
        ({"kind": "exe", "arguments": ("/S",)}, ExeInstall(arguments=("/S",))),
    ],
)
def test_every_kind(given: dict[str, Any], install: object) -> None:
    assert with_options(Recipe(), {**NOTHING, **given}).install == install
    # beside a recipe of another kind, nothing of that is left
    assert with_options(RECIPE, {**NOTHING, **given}).install == (
        install if given["kind"] != "deb" else DebInstall(package="a", timeout_seconds=5)
    )


def test_an_option_counts_before_the_recipe_and_leaves_the_rest() -> None:
    changed = with_options(
        RECIPE,
        {
            "version": "2.2",
            "cvss": 0.0,
            "title": "",
            "requires": ("other",),
            "file": "/tmp/new.deb",
            "package": "acme2",
            "detect": ("package acme2 >= 2.2",),
            "health": ("unit b", "unit c"),
            "windows": ("sun 01:00-02:00",),
            "deadline": "2026-12-01",
            "emergency": True,
        },
    )
    assert changed == Recipe(
        patch_id="acme",
        version="2.2",
        cvss=0.0,
        requires=("other",),
        payload=(PayloadFile("/tmp/new.deb", arch="amd64"),),
        install=DebInstall(package="acme2", timeout_seconds=5),
        detect=(PackageCheck(name="acme2", at_least="2.2"),),
        health=HealthCheck(checks=(UnitCheck(unit="b"), UnitCheck(unit="c")), within_seconds=7),
        schedule=ScheduleRules(windows=("sun 01:00-02:00",), deadline="2026-12-01", emergency=True, deferrals=3),
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "archive"}, "--install archive needs --directory"),
        ({"kind": "msu"}, "--install msu needs --kb"),
        ({"package": "a"}, "--package needs --install KIND; there are: deb"),
        ({"arguments": ("a",)}, "--argument needs --install KIND"),
        ({"kind": "rpm", "package": "a", "arguments": ("b",)}, "--argument is not for --install rpm"),
        ({"title": "x" * 201}, "length <= 200"),
        ({"windows": ("x",) * 21}, "length <= 20"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        with_options(Recipe(), given)


def test_a_file_beside_a_recipe_of_several_is_refused() -> None:
    several = Recipe(payload=(PayloadFile("a"), PayloadFile("b", language="ja")))
    with pytest.raises(OptionsError, match="names 2 files"):
        with_options(several, {"file": "c"})


def test_a_check_that_is_none() -> None:
    with pytest.raises(CheckTextError):
        with_options(Recipe(), {"health": ("acme",)})
