"""Recipes as people write them: a date means its whole day, and every mistake is told at once, where it stands."""

import codecs
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import sample_packages as packages
from p2pdist.shared.manifest.recipe import DebInstall, ScheduleRules
from seed_server.publishing.examination import Publication, examine
from seed_server.publishing.recipe import PayloadFile, Recipe, manifest_of
from seed_server.publishing.recipe_files import lint_recipe

NOON = 1_796_126_400.0  # 2026-12-01T12:00:00 in UTC
RECIPE = Recipe(patch_id="acme", version="2.1", install=DebInstall(package="acme"), applies_to="on_mains")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-01", "2026-12-01T23:59:59"),
        ("20261201", "2026-12-01T23:59:59"),
        ("2026-12-01T18:00", "2026-12-01T18:00"),
        ("2026-12-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
    ],
)
def test_a_deadline_of_a_date_is_the_end_of_that_day(written: str, meant: str) -> None:
    recipe = replace(RECIPE, schedule=ScheduleRules(deadline=written, not_before="2026-11-20"))
    schedule = manifest_of(recipe, [], 0).schedule
    assert (schedule.deadline, schedule.not_before) == (meant, "2026-11-20")  # which begins with its day


@pytest.mark.parametrize(
    ("deadline", "words"),
    [
        ("2026-11-29", "is over"),
        ("2026-12-01", "less than a day away"),
        ("2026-12-01T18:00+00:00", "less than a day away"),
        ("2026-12-01T11:00+00:00", "is over"),
        ("2026-12-04", ""),
    ],
)
def test_a_deadline_of_the_past_or_of_today_is_warned_of(deadline: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "acme.deb").write_bytes(packages.deb())
    recipe = replace(RECIPE, payload=(PayloadFile("acme.deb"),), schedule=ScheduleRules(deadline=deadline))
    texts = [one.text for one in examine(Publication(recipe, tmp_path), NOON).warnings if "deadline" in one.where]
    assert bool(texts) == bool(words)
    assert all(words in text for text in texts)


def test_all_wrong_types_and_values_are_told_in_one_run_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(
        'patch_id = "acme"\nversion = 2.1\nseverity = "hihg"\ncvss = 11\n[install]\nkind = "dbe"\n'
        '[schedule]\nreboot = "nver"\ngrace_minutes = "5"\n[healht]\n'
    )
    said = "\n".join(finding.as_text("acme.toml") for finding in lint_recipe(path, NOON).errors)
    assert (
        said
        == """\
acme.toml, line 2, column 11: error: version: 2.1 is no text; put it in quotes.
acme.toml, line 3, column 12: error: unknown severity 'hihg'; did you mean 'high'? \
Known ones are critical, high, low, medium.
acme.toml, line 4, column 8: error: cvss: 11 is not from 0 to 10.
acme.toml, line 6, column 8: error: unknown kind 'dbe' in install; did you mean 'deb'? \
Known ones are archive, deb, exe, msi, msu, rpm, script.
acme.toml, line 8, column 10: error: unknown reboot 'nver' in schedule; did you mean 'never'? \
Known ones are ask, never, window.
acme.toml, line 9, column 17: error: schedule, grace_minutes: '5' is no whole number (without quotes).
acme.toml, line 10, column 2: error: unknown key 'healht'; did you mean 'health'?"""
    )


def test_a_byte_order_mark_of_notepad_is_ignored_and_utf_16_is_named(tmp_path: Path) -> None:
    # every other file of ours: tests/faults/test_edited_files.py
    path = tmp_path / "acme.toml"
    path.write_bytes(codecs.BOM_UTF8 + b'patch_id = "acme"\r\nversion = "1"\r\n')
    assert lint_recipe(path, NOON).errors == []
    path.write_text('patch_id = "acme"\n', encoding="utf-16")
    with pytest.raises(Exception, match="this is UTF-16 text, not UTF-8"):
        lint_recipe(path, NOON)
