"""`seed_server.publishing.recipe_files`: findings have their place in the file."""

from pathlib import Path

import pytest

from bench import sample_packages as packages
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.publishing.findings import Finding
from seed_server.publishing.recipe_files import MAX_RECIPE_BYTES, lint_recipe, read_recipe

NOW = 1_790_000_000.0
WHOLE = """\
patch_id = "acme"
version = "2.1"
applies_to = 'os.family == "debian"'

[[payload]]
file = "files/acme.deb"

[install]
kind = "deb"
package = "acme"

[[detect]]
kind = "file"
path = "/opt/acme"

[[detect]]
kind = "unit"
unit = "acme.service"

[health]
checks = [{ kind = "unit", unit = "acme.service" }]

[schedule]
windows = ["22:00-05:00"]
deadline = 2030-01-01T00:00:00
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "acme.deb").write_bytes(packages.deb())
    path = tmp_path / "acme.toml"
    path.write_text(WHOLE)
    return path


def changed(path: Path, old: str, new: str) -> list[Finding]:
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new, 1))
    return list(lint_recipe(path, NOW).findings)


def test_a_good_recipe_has_no_findings(path: Path) -> None:
    assert lint_recipe(path, NOW).findings == ()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2030-01-01", "2030-01-01"),
        ("2030-01-01T10:00:00", "2030-01-01T10:00:00"),
        ("2030-01-01 10:00:00+01:00", "2030-01-01T10:00:00+01:00"),
        ('"2030-01-01T10:00"', "2030-01-01T10:00"),
    ],
)
def test_times_may_be_written_as_toml_has_them(path: Path, written: str, text: str) -> None:
    assert changed(path, "2030-01-01T00:00:00", written) == []
    assert read_recipe(path).recipe.schedule.deadline == text


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("package =", "pakage =", 10, "unknown key 'pakage'; did you mean 'package'?"),
        ('kind = "deb"', 'kind = "debian"', 9, "unknown kind 'debian' in install; did you mean 'deb'?"),
        ('version = "2.1"', "version = 2.1", 2, "version: 2.1 is no text; put it in quotes"),
        ('"2.1"', '"2 1"', 2, "version '2 1' is not valid"),
        ("files/acme.deb", "files/none.deb", 6, "There is no file"),
        ("files/acme.deb", "files", 6, "is a directory"),
        ('path = "/opt/acme"', 'path = "opt"', 14, "detect 1, path: 'opt' is no absolute path"),
        ('unit = "acme.service"\n', 'unit = "a b"\n', 18, "detect 2, unit: 'a b' is no name"),
        ('"22:00-05:00"', '"25:00-05:00"', 24, "schedule, windows 1: 25:00 is no time"),
        ("2030-01-01T00:00:00", '"soon"', 25, "schedule, deadline: 'soon'"),
        ('[{ kind = "unit", unit = "acme.service" }]', '[\n{ kind = "unit", unit = "-" }]', 22, "health 1, unit"),
        ('package = "acme"', '# package = "x"\npackage = "-"', 11, "install (deb), package: '-' is no name"),
        ("[health]", "[health", 20, "not valid TOML"),
    ],
)
def test_an_error_has_its_line(path: Path, old: str, new: str, line: int, words: str) -> None:
    (finding,) = changed(path, old, new)
    assert (finding.level, finding.line) == ("error", line)
    assert words in finding.text
    place = f"acme.toml, line {line}" + (f", column {finding.column}" if finding.column else "")
    assert finding.as_text("acme.toml").startswith(f"{place}: error: ")


def test_a_warning_has_its_line(path: Path) -> None:
    findings = changed(path, "2030", "2020")
    assert [(finding.level, finding.line, finding.where) for finding in findings] == [
        ("warning", 25, "schedule, deadline")
    ]


def test_an_expressions_place_is_one_in_the_file(path: Path) -> None:
    (finding,) = changed(path, """'os.family == "debian"'""", """'''\non_mains and\n  os.build == "1"'''""")
    assert (finding.line, finding.column) == (5, 3)
    assert finding.excerpt.splitlines()[1].index("^") == finding.excerpt.index("os.build")
    assert finding.as_text("a").endswith(finding.excerpt)
    # with escapes it does not stand in the file as it is
    (finding,) = changed(path, """'os.family == "debian"'""", '"os.build == \\"1\\""')
    assert (finding.line, finding.column) == (3, None)
    assert finding.excerpt


def test_what_cannot_be_read(path: Path) -> None:
    for data, words in (
        (b"\xff", "not UTF-8 text"),
        (b"#" * (MAX_RECIPE_BYTES + 1), "it is no recipe"),
        (None, "Cannot read recipe"),
    ):
        path.unlink() if data is None else path.write_bytes(data)
        for read in (read_recipe, lambda path: lint_recipe(path, NOW)):
            with pytest.raises(UserError, match=words) as caught:
                read(path)
            assert caught.value.kind is FaultKind.BAD_INPUT
    path.write_bytes(b"#" * MAX_RECIPE_BYTES)
    assert read_recipe(path).recipe.patch_id == ""
