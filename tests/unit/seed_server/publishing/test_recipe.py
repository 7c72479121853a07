"""`seed_server.publishing.recipe`: everything that is wrong is told, each at its key."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from p2pdist.shared.manifest.documents import Payload, decode_manifest, encode_manifest
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    DebInstall,
    FileCheck,
    HealthCheck,
    PackageCheck,
    ScheduleRules,
    ScriptInstall,
    UnitCheck,
)
from seed_server.publishing.recipe import PayloadFile, Recipe, manifest_of, pointed, recipe_problems

RECIPE = Recipe(
    patch_id="acme",
    version="2.1",
    title="Acme",
    titles={"ja": "アクメ"},
    cves=("CVE-2026-1234", "CVE-2026-123456"),
    applies_to='os.family == "debian"',
    requires=("base",),
    payload=(PayloadFile("a/acme.deb"), PayloadFile("b/acme.deb", language="ja")),
    install=DebInstall(package="acme"),
    detect=(PackageCheck(name="acme", at_least="2.1"),),
    health=HealthCheck(checks=(UnitCheck(unit="acme.service"),)),
    schedule=ScheduleRules(windows=("22:00-05:00",), deadline="2026-12-01T18:00"),
)


def test_a_whole_recipe_and_an_empty_one_have_no_problems() -> None:
    assert recipe_problems(RECIPE) == []
    assert recipe_problems(Recipe()) == []


def test_the_manifest_has_all_of_it() -> None:
    payloads = [Payload(file_name="acme.deb", length_bytes=1, sha256="a" * 64, torrent_hash="b" * 64)]
    manifest = manifest_of(RECIPE, payloads, 5)
    for name in set(Recipe.__struct_fields__) - {"payload", "repack"}:
        assert getattr(manifest, name) == getattr(RECIPE, name)
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"patch_id": "a b"}, "patch_id", "patch id 'a b' is not valid"),
        ({"version": "1/2"}, "version", "version"),
        ({"title": "two\nlines"}, "title", "one line"),
        ({"titles": {"ja": "アクメ\u202e"}}, "titles, ja", "cannot be shown"),
        ({"cvss": 11.0}, "cvss", "0.0 to 10.0"),
        ({"cves": ("CVE-2026-1234", "cve-2026-1")}, "cves 2", "write it as CVE-2026-1234"),
        ({"cves": ("CVE-2026-1234",) * 2}, "cves 2", "twice"),
        ({"requires": ("../x",)}, "requires 1", "patch id"),
        ({"conflicts": ("x@",)}, "conflicts 1", "version"),
        ({"requires": ("acme",)}, "relations", "requires itself"),
        ({"supersedes": ("base",)}, "relations", "requires base and excludes it"),
        ({"requires": ("base@1",), "conflicts": ("base",)}, "relations", "requires base@1 and excludes it"),
        ({"requires": ("acme@1",)}, "relations", "requires acme@1, and takes its place"),
        ({"payload": (PayloadFile("x/.hidden"),)}, "payload 1, file", "file name"),
        ({"payload": (PayloadFile("a"), PayloadFile("b"))}, "payload 2", "no PC would take it"),
        ({"payload": (PayloadFile("a"), PayloadFile("a", arch="arm64"))}, "payload 2", "is the file of payload 1"),
        ({"payload": (PayloadFile("a", language="ja JP"),)}, "payload", "lower-case"),
        ({"install": ArchiveInstall(directory="opt")}, "install (archive), directory", "no absolute path"),
        ({"install": ArchiveInstall(directory="//boot/")}, "install (archive), directory", "give the application one"),
        ({"detect": (FileCheck(path="x"),)}, "detect 1, path", "no absolute path"),
        ({"detect": (), "install": ScriptInstall(interpreter="sh")}, "detect", "say how a PC can tell"),
        ({"install": None}, "health", "nothing is installed"),
        ({"health": HealthCheck(checks=(UnitCheck(unit="-x"),))}, "health 1, unit", "no name of a unit"),
        ({"schedule": ScheduleRules(windows=("someday",))}, "schedule, windows 1", "is no window"),
        ({"schedule": ScheduleRules(deadline="soon")}, "schedule, deadline", "is no date and time"),
    ],
)
def test_a_problem_names_its_key(changes: dict[str, Any], where: str, words: str) -> None:
    (problem,) = recipe_problems(replace(RECIPE, **changes))
    assert problem.where == where
    assert problem.text.startswith(f"{where}: ")
    assert words in problem.text


def test_what_is_too_large_for_endpoints_is_refused() -> None:
    long = FileCheck(path="/" + "x" * 499)
    script = ScriptInstall(interpreter="sh", arguments=("x" * 1_000,) * 64, rollback_arguments=("日" * 1_000,) * 64)
    whole = replace(RECIPE, install=script, detect=(long,) * 20, health=HealthCheck(checks=(long,) * 20))
    (problem,) = recipe_problems(whole)
    assert (problem.where, "over the cap" in problem.text) == ("recipe", True)


def test_all_problems_are_told_at_once() -> None:
    wrong = replace(RECIPE, patch_id="/", applies_to="os.build", schedule=ScheduleRules(windows=("x",)))
    assert [problem.where for problem in recipe_problems(wrong)] == ["patch_id", "applies_to", "schedule, windows 1"]


def test_an_expressions_wrong_place_is_marked() -> None:
    text = 'os.language == "日本"\n  and os.build == "1"'
    (problem,) = recipe_problems(replace(RECIPE, applies_to=text))
    assert problem.column == text.index("os.build") + 1
    assert problem.explained(RECIPE).startswith("applies_to: column 27: os.build is a number")
    expression, caret = pointed(text, problem.column).splitlines()
    assert expression == '    os.language == "日本"   and os.build == "1"'
    assert caret.index("^") == expression.index("os.build") + 2  # two signs are wide


@given(st.text(min_size=1, max_size=300), st.data())
def test_a_caret_never_fails_and_its_lines_are_short(text: str, data: st.DataObject) -> None:
    lines = pointed(text, data.draw(st.integers(1, len(text) + 1))).split("\n")
    assert len(lines) == 2
    assert all(len(line) <= 4 + 101 for line in lines) or not text.isascii()
    assert lines[1].endswith("^")
