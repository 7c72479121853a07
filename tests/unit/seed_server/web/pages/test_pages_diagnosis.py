"""What PCs are asked: looked at, tried, prepared for signing; and the bundles that wait for that."""

from pathlib import Path

import pytest

from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.fleet import operations
from seed_server.signing.bundle import read_bundle
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.pages_client import ROOT, PageAnswer, pages_of
from tests.helpers.rollout_company import BEGIN, OTHERS, Company

pytestmark = pytest.mark.trio
TEXT = """
title = "Old <b>libraries</b>"
[[item]]
label = "<script>alert(1)</script>"
expression = 'package("openssl") < version("3.0.17")'
"""


@pytest.fixture
def asking(company: Company, tmp_path: Path) -> Company:
    (tmp_path / "old.toml").write_text(TEXT)
    keys = OfflineKeys(company.context.home.offline_keys, None)
    operations.set_template(company.context, ROOT, "old", tmp_path / "old.toml", keys)
    return company


async def test_a_template_is_shown_with_its_answers_and_its_file(asking: Company) -> None:
    async with pages_of(asking.context) as site:
        browser = site.browser("eve", "viewer")
        assert "/diagnosis/old" in (await browser.get("/templates")).links
        answer = await browser.get("/diagnosis/old")
        assert answer.status == 200
        assert "Old <b>libraries</b>" in answer.words
        assert "<script>alert" not in answer.text
        assert "/diagnosis?start=old" in answer.links
        assert "/diagnosis/remove" not in [form.get("action") for form in answer.elements("form")]
        assert (await browser.get("/diagnosis/nothing")).status == 404


async def test_behind_each_number_are_the_pcs_that_answered_so(asking: Company) -> None:
    label = "<script>alert(1)</script>"
    answer = DiagnosisAnswer(label=label, applies=True, needed=True, reason="<b>because</b>")
    asking.database.save_diagnosis(OTHERS[0], Diagnosis(template="old", answers=(answer,)), BEGIN)
    async with pages_of(asking.context) as site:
        browser = site.browser("eve", "viewer")
        found = [one for one in (await browser.get("/diagnosis/old")).links if "/pcs?" in one]
        assert len(found) == 2  # need it, no answer yet
        needing = await browser.get(found[0])
        assert [one for one in needing.links if one.startswith("/pcs/")] == [f"/pcs/{OTHERS[0]}"]
        assert "<b>because</b>" in needing.words
        assert "<script>alert" not in needing.text
        silent = await browser.get(found[1])
        assert len([one for one in silent.links if one.startswith("/pcs/")]) == 9
        assert [one for one in (await browser.get("/diagnosis/old/pcs")).links if one.startswith("/pcs/")] == [
            f"/pcs/{OTHERS[0]}"
        ]
        assert (await browser.get("/diagnosis/old/pcs?item=x")).status == 404
        assert (await browser.get("/diagnosis/nothing/pcs?item=x")).status == 404
        assert (await browser.get("/diagnosis/old/pcs?item=x&answer=perhaps")).status == 422


async def test_a_draft_is_checked_at_its_lines(asking: Company) -> None:
    async with pages_of(asking.context) as site:
        browser = site.browser("eve", "viewer")
        assert "It can be used: 1 item." in (await browser.get("/diagnosis")).words
        assert "alert(1)" in (await browser.get("/diagnosis?start=old")).words
        for text, words in (
            (TEXT.replace("label", "lable"), "Line 4"),
            (TEXT.replace("package(", "pakage("), "Line 5"),
            ("<script>alert(1)</script>", "Line 1"),
        ):
            answer = await browser.post("/diagnosis", {"text": text, "name": "old"})
            assert answer.status == 200
            assert words in answer.words, answer.words
            assert "<script>alert" not in answer.text
        wrong = await browser.post("/diagnosis", {"text": TEXT, "name": "no name"})
        assert "It can be used" not in wrong.words
        assert (await browser.post("/diagnosis/prepare", {"text": TEXT, "name": "old"})).status == 403


async def test_a_change_is_prepared_fetched_and_forgotten(asking: Company, tmp_path: Path) -> None:
    async with pages_of(asking.context) as site:
        browser = site.browser("ada", "operator")
        done = await browser.post("/diagnosis/prepare", {"text": TEXT.replace("3.0.17", "3.0.18"), "name": "new"})
        assert (done.status, done.header("location")) == (303, "/bundles")
        listed = await browser.get("/bundles")
        assert "Prepared as" in listed.words
        assert "set the template new" in listed.words
        (link,) = [one for one in listed.links if one.endswith("/file")]
        file = await browser.get(link)
        (tmp_path / "file.bundle").write_bytes(file.body)
        bundle = read_bundle(tmp_path / "file.bundle")
        assert f"{bundle.bundle_id}.bundle" in file.header("content-disposition")
        assert "forgotten" in await _after(browser.post(f"/bundles/{bundle.bundle_id}/drop"), browser)
        assert (await browser.get(link)).status == 404
        assert "Nothing waits" in (await browser.get("/bundles")).words
        assert "prepared" not in await _after(browser.post("/diagnosis/remove", {"name": "nothing"}), browser)
        assert (await browser.post("/diagnosis/remove", {"name": "old"})).status == 303
        assert "remove the template old" in (await browser.get("/bundles")).words


async def _after(sending: object, browser: object) -> str:
    answer: PageAnswer = await sending  # type: ignore[misc]
    if answer.status != 303:
        return answer.words
    return (await browser.get(answer.header("location"))).words  # type: ignore[attr-defined, no-any-return]


async def test_a_draft_that_is_wrong_is_not_prepared(asking: Company) -> None:
    async with pages_of(asking.context) as site:
        browser = site.browser("ada", "operator")
        answer = await browser.post("/diagnosis/prepare", {"text": "x", "name": "new"})
        assert answer.status == 200
        assert "Line 1" in answer.words
        assert "Nothing waits" in (await browser.get("/bundles")).words
