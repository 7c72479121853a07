"""Rings as people look at them, and as they try their own: faults at their lines, and nothing kept."""

from pathlib import Path

import pytest

from seed_server.fleet.shipped_rings import SHIPPED_RINGS, shipped_rings
from seed_server.web.pages.pages_templates import RINGS_FILE, checked_draft
from tests.helpers.pages_client import pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio
OWN = shipped_rings("rings")


async def test_templates_are_listed_with_what_they_are_for(company: Company) -> None:
    company.start()
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/templates")
        assert {f"/templates/{name}" for name in (*SHIPPED_RINGS, "two")} <= set(answer.links)
        assert "every patch that names none" in answer.words
        own = await browser.get("/templates/two")
        assert own.status == 200
        assert "/rollouts/1" in own.links
        assert "/patches/office@1" in own.links


async def test_a_template_is_drawn_told_and_taken_away(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/templates/rings")
        (image,) = [one for one in answer.elements("img") if one["src"].startswith("data:image/svg+xml")]
        assert image["alt"]
        for words in ("test", "broad", "1 % of all PCs", "Five rings in a week", "[[ring]]"):
            assert words in answer.words
        file = await browser.get("/templates/rings/file")
        assert file.body.decode() == OWN
        assert 'filename="rings.toml"' in file.header("content-disposition")
        assert "no rings" in (await browser.get("/templates/all-at-once")).words
        for name in ("nothing", "%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd"):
            assert (await browser.get(f"/templates/{name}")).status == 404
            assert (await browser.get(f"/templates/{name}/file")).status == 404


async def test_a_broken_file_says_where(company: Company, tmp_path: Path) -> None:
    broken = tmp_path / "own.toml"
    broken.write_text(OWN.replace('title = "Five rings in a week"', 'titel = "<script>alert(1)</script>"'))
    settings = company.context.home.settings
    settings.write_text(f'{settings.read_text()}\nrollout_template = "{broken}"\n')
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert "cannot be used" in (await browser.get("/templates")).words
        answer = await browser.get("/templates/own")
        assert answer.status == 200
        assert "line 3" in answer.words
        assert "<script>alert" not in answer.text


# --- a file that is tried ----------------------------------------------------------------


async def test_a_draft_begins_with_a_template_and_is_drawn(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        answer = await browser.get("/rings?start=emergency")
        assert shipped_rings("emergency").splitlines()[0] in answer.words
        assert "It can be used: Three rings in two hours" in answer.words
        changed = OWN.replace('"Five rings in a week"', '"Ours & theirs <b>"')
        drawn = await browser.post("/rings", {"text": changed.replace("\n", "\r\n")})
        assert drawn.status == 200
        assert "It can be used: Ours & theirs <b>" in drawn.words
        file = await browser.post("/rings/file", {"text": changed})
        assert file.body.decode() == changed
        assert RINGS_FILE in file.header("content-disposition")
        assert (await browser.get("/rings?start=nothing")).status == 200


async def test_what_is_wrong_in_a_draft_is_told_at_its_line(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        for text, words in (
            (OWN.replace('soak = "1d"', 'soak = "soon"', 1), "Line 13"),
            (OWN.replace("[[ring]]", "[[ring", 1), "Line 10"),
            (OWN.replace("approvals = 1", "approvals = 0"), "wants approval"),
            ("<script>alert(1)</script>", "Line 1"),
            ("", "missing"),
        ):
            answer = await browser.post("/rings", {"text": text})
            assert words in answer.words, (words, answer.words)
            assert "<script>alert" not in answer.text
            kept = await browser.post("/rings/file", {"text": text})
            assert kept.header("content-disposition") == ""


async def test_a_draft_is_taken_up_to_its_cap_and_no_further(company: Company) -> None:
    most = OWN + "#" * ((64 << 10) - len(OWN))
    assert checked_draft(most).value is not None
    assert checked_draft(f"{most}#").value is None
    assert checked_draft("あ" * (22 << 10)).value is None
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        assert (await browser.post("/rings", {"text": most})).status == 200
        assert (await browser.post("/rings", {"text": f"{most}#"})).status == 422
        assert (await browser.post("/rings", {"text": "あ" * (66 << 10)})).status == 413
