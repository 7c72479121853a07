"""`seed_server.publishing.examination`: one function decides what can be published, and tells everything at once."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench import sample_packages as packages
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.recipe import DebInstall, MsiInstall, PackageCheck, RpmInstall
from seed_server.publishing.examination import Examined, Publication, examine
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.publishing.recipe_files import lint_recipe, read_recipe

NOW = 1_790_000_000.0
RECIPE = Recipe(patch_id="office", version="1.0", payload=(PayloadFile("a.msi"),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch_id": "../x"}, "patch id"),
        ({"patch_id": "x" * 65}, "patch id"),
        ({"version": ""}, "no version: give --version"),
        ({"patch_id": ""}, "no patch id: give --patch-id"),
        ({"version": "1/2"}, "version"),
        ({"payload": (PayloadFile("x/.bashrc"),)}, "file name"),
        ({"payload": (PayloadFile("x/"),)}, "file name"),
        ({"payload": ()}, "no payload: give a FILE"),
        ({"applies_to": "os.kind == 1"}, "there is no fact"),
        ({"title": "x" * 201}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"cvss": 10.1}, "CVSS"),
        ({"cvss": float("nan")}, "CVSS"),
    ],
)
def test_bad_descriptions(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        examine(Publication(replace(RECIPE, **changes)), NOW).require()
    assert caught.value.kind is FaultKind.BAD_INPUT


def looked_at(folder: Path, data: bytes, recipe: Recipe, name: str = "acme.deb") -> Examined:
    (folder / name).write_bytes(data)
    return examine(Publication(replace(recipe, payload=(PayloadFile(name),)), folder), NOW)


def test_what_the_file_says_is_filled_in(tmp_path: Path) -> None:
    data = packages.deb("acme", "1:3.0-1")
    examined = looked_at(tmp_path, data, Recipe(patch_id="acme", install=DebInstall()))
    recipe = examined.publication.recipe
    assert examined.errors == []
    assert (recipe.version, recipe.install) == ("3.0-1", DebInstall(package="acme", version="1:3.0-1"))
    assert recipe.payload[0].arch == "amd64"
    data = packages.rpm("acme", "2.1", "3.el9", "noarch", epoch=2)
    recipe = looked_at(tmp_path, data, Recipe(patch_id="acme", install=RpmInstall())).publication.recipe
    assert (recipe.version, recipe.install) == ("2.1-3.el9", RpmInstall(package="acme", version="2:2.1-3.el9"))
    assert recipe.payload[0].arch == ""
    examined = looked_at(tmp_path, packages.msi(), Recipe(patch_id="acme", install=MsiInstall()), "a.msi")
    recipe = examined.publication.recipe
    assert examined.errors == []
    assert (recipe.version, recipe.install) == ("5.3.0", MsiInstall(product_code=packages.PRODUCT_CODE))
    assert recipe.detect == (PackageCheck(name="Acme Desktop", at_least="5.3.0"),)


def test_a_32_bit_package_is_for_64_bit_pcs_too(tmp_path: Path) -> None:
    recipe = looked_at(tmp_path, packages.deb(arch="i386"), Recipe(patch_id="a", install=DebInstall()))
    assert recipe.publication.recipe.payload[0].arch == ""


def test_everything_is_told_at_once_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(
        'patch_id = "acme"\nversion = "9.9"\nseverity = "hihg"\ntitel = "Acme"\n[[payload]]\nfile = "acme.deb"\n'
        'arch = "arm64"\n[install]\nkind = "deb"\npackage = "acmee"\n[[detect]]\nkind = "file"\npath = "opt/acme"\n'
        '[schedule]\nwindows = ["22:00-05:00", "25:00-26:00"]\nreboot = "nver"\n'
    )
    (tmp_path / "acme.deb").write_bytes(packages.deb())
    by_lint = lint_recipe(path, NOW)
    assert [(finding.line, finding.column, finding.where) for finding in by_lint.errors] == [
        (2, 11, "version"),
        (3, 12, "severity"),
        (4, 1, "titel"),
        (7, 8, "payload 1, arch"),
        (10, 11, "install (deb), package"),
        (13, 8, "detect 1, path"),
        (15, 27, "schedule, windows 2"),
        (16, 10, "schedule, reboot"),
    ]
    written = read_recipe(path)
    by_publish = examine(Publication(written.recipe, tmp_path, written), NOW)
    assert by_publish.errors == by_lint.errors
    with pytest.raises(UserError) as caught:
        by_publish.require()
    assert caught.value.message.count(f"{path}, line ") == 8


def test_what_an_option_says_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text('patch_id = "acme"\nversion = "1"\napplies_to = "on_mains"\ntitle = 5\n')
    written = read_recipe(path)
    recipe = replace(written.recipe, applies_to="arch == 1", title="Acme")
    given = Publication(recipe, tmp_path, written, frozenset({"applies_to", "title"}))
    (finding,) = examine(given, NOW, whole=False).errors
    assert (finding.where, finding.line) == ("applies_to", None)
    assert finding.excerpt.startswith("    arch == 1")


def test_warnings_do_not_wait_until_the_errors_are_mended(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    (tmp_path / "acme.deb").write_bytes(packages.deb())
    path.write_text(
        'patch_id = "acme"\nversion = "9.9"\nseverity = "hihg"\n[[payload]]\nfile = "acme.deb"\n'
        '[install]\nkind = "deb"\npackage = "acmee"\n'
        '[schedule]\nwindows = ["22:00-22:10"]\ndeadline = "2026-09-01"\nreboot = "nver"\nnot_before = "soon"\n'
    )
    by_lint = lint_recipe(path, NOW)
    assert [error.where for error in by_lint.errors] == [
        "version",
        "severity",
        "install (deb), package",
        "schedule, reboot",
        "schedule, not_before",
    ]
    assert {warning.where for warning in by_lint.warnings} == {
        "applies_to",
        "health",
        "schedule, windows",
        "schedule, deadline",
    }
    written = read_recipe(path)
    assert set(by_lint.findings) == set(examine(Publication(written.recipe, tmp_path, written), NOW).findings)


@pytest.mark.parametrize(
    ("wrong", "silent", "told"),
    [
        ('healht = "x"', {"health", "applies_to"}, {"schedule, deadline"}),
        ("health = 5", {"health"}, {"applies_to", "schedule, deadline"}),
        ("applies_to = 5", {"applies_to"}, {"health"}),
        ('schedule.emergency = "yes"', {"schedule, windows"}, {"schedule, deadline", "health"}),
        ("install.timeout_secnds = 5", {"schedule, windows", "install"}, {"schedule, deadline", "health"}),
        ('install.rollback_arguments = "x"', {"install"}, {"health"}),
        ('schedule.windows = ["25:00-26:00"]', {"schedule, windows"}, {"schedule, deadline"}),
        ('schedule.deadline = "tomorrow"', {"schedule, deadline"}, {"health"}),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_missing(
    tmp_path: Path, wrong: str, silent: set[str], told: set[str]
) -> None:
    lines = {
        "install.kind": '"script"',
        "install.interpreter": '"sh"',
        "schedule.windows": '["22:00-22:10"]',
        "schedule.deadline": '"2026-09-01"',
    }
    key, _, value = wrong.partition(" = ")
    path = tmp_path / "acme.toml"
    text = "".join(f"{name} = {said}\n" for name, said in ({**lines, key: value}).items())
    (tmp_path / "a.sh").write_text("#!/bin/sh\ntrue\n")
    path.write_text(f'patch_id = "acme"\nversion = "1"\npayload = [{{ file = "a.sh" }}]\n{text}')
    examined = lint_recipe(path, NOW)
    assert examined.errors
    places = {warning.where for warning in examined.warnings}
    assert places.isdisjoint(silent)
    assert told <= places
