"""`seed_server.web.pages.pages_settings`: the fleet's settings as files, and what files would change."""

from pathlib import Path

import pytest

from seed_server.automation.applying import read_plan
from seed_server.automation.declared_export import write_export
from seed_server.web.pages.pages_settings import MAX_CHECKED_CHARS
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

SITES = '[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\nline_mbit = 20\n'
HOSTILE = "<script>alert(1)</script>\"'\u202e"


async def test_the_files_are_those_of_export(company: Company, tmp_path: Path) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        names = write_export(company.context, tmp_path / "fleet")
        page = await browser.get("/settings")
        assert page.status == 200
        for name in names:
            assert name in page.words
            answer = await browser.get(f"/settings?file={name}")
            assert answer.body == (tmp_path / "fleet" / name).read_bytes()
            assert answer.header("content-disposition") == f'attachment; filename="{name.replace("/", "-")}"'
        for name in ("server.toml", "../server.toml", "/etc/passwd"):
            assert (await browser.get(f"/settings?file={name}")).status == 404
        assert (await site.browser().get("/settings")).status == 303


async def test_what_files_would_change_is_what_the_command_says(company: Company, tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "sites.toml").write_text(SITES)
    plan = read_plan(company.context, tmp_path / "fleet")
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.post("/settings/check", {"text": SITES, "name": "sites.toml"})
        assert answer.status == 200
        assert "1 to add, 0 to change, 0 to remove." in answer.words
        assert "site oslo networks" in answer.words
        assert plan.changes[0].keys[0].after in answer.words
        people = '[[person]]\nname = "ada"\nroles = ["administrator"]\n'
        answer = await browser.post("/settings/check", {"text": f"# file: people.toml\n{people}", "prune": "true"})
        assert "1 to add, 0 to change, 1 to remove." in answer.words  # eve is not in it
        answer = await browser.post("/settings/check", {"text": f"# file: people.toml\n{people}"})
        assert "Not in the files, and stays: account eve" in answer.words
    assert read_plan(company.context, tmp_path / "fleet").changes == plan.changes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[site]]\nnmae = "oslo"\n', "nmae"),
        ("x = 1", "sites.toml, line 1, column 1: unknown key 'x'"),
        ("# file: nothing.toml\n", "nothing is read from a file of this name"),
        (f"# file: {HOSTILE}\n", "nothing is read from a file of this name"),
    ],
)
async def test_all_that_is_wrong_is_said_and_shown_as_text(company: Company, text: str, words: str) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").post("/settings/check", {"text": text, "name": "sites.toml"})
    assert "The files cannot be carried out:" in answer.words
    assert words in answer.words
    assert "<script>" not in answer.text
    assert "\u202e" not in answer.text


@pytest.mark.parametrize(("length", "status"), [(MAX_CHECKED_CHARS, 200), (MAX_CHECKED_CHARS + 1, 422)])
async def test_the_longest_text_and_one_over(company: Company, length: int, status: int) -> None:
    async with pages_of(company.context) as site:
        answer = await site.browser("eve", "viewer").post(
            "/settings/check", {"text": "#" * length, "name": "sites.toml"}
        )
    assert answer.status == status
