"""The audit log as an auditor searches it, and the proofs that they take away."""

import base64
import json
import re
import sqlite3

import pytest

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.merkle_log import leaf_hash, proves_inclusion
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.audit_search import newest_checkpoint
from seed_server.fleet.rollout_approving import approve_rollout
from tests.helpers.pages_client import ROOT, PageAnswer, pages_of
from tests.helpers.rollout_company import BOB, OTHERS, Company

pytestmark = pytest.mark.trio
HOSTILE = '"><script>alert(1)</script>\u202e\u2066' + "x" * 4_000


def _happen(company: Company, pc: str, reason: str) -> None:
    with company.context.audited(ROOT, Deed("deny", pc, reason=reason)):
        pass


def _entries(answer: PageAnswer) -> list[int]:
    return [int(link.removeprefix("/audit/")) for link in answer.links if re.fullmatch("/audit/[0-9]+", link)]


async def test_only_who_may_audit_sees_the_log(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser(
            "eve",
            "viewer",
        )
        for path in ("/audit", "/audit/0", "/audit/0/proof", "/audit-log", "/audit-log/checkpoint"):
            answer = await browser.get(path)
            assert answer.status == 403
            assert "audit" in answer.words
        assert "/audit" not in (await browser.get("/people")).links
        assert (await browser.post("/audit-log/compare", {"checkpoint": "x"})).status == 403
        assert (await site.browser().get("/audit")).status == 303


async def test_what_a_deed_means_stands_beside_it_in_the_readers_language(company: Company) -> None:
    _happen(company, OTHERS[0], "stolen")
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        english, japanese = [await browser.get(f"/audit?deed=deny&lang={language}") for language in ("en", "ja")]
    assert "deny" in english.words
    assert "A PC is refused from now on" not in english.words, "the deed says it"
    assert "deny" in japanese.words, "as it was signed"
    assert "PC が拒否されました。" in japanese.words


async def test_entries_are_found_by_what_stands_in_the_address(company: Company) -> None:
    company.start()
    approve_rollout(company.context, BOB, 1)
    _happen(company, OTHERS[0], "stolen")
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        whole = _entries(await browser.get("/audit"))
        assert whole == sorted(whole, reverse=True)
        for query, words in {
            "deed=approve": ["approve rollout", "local:bob"],
            "who=bob": ["approve rollout"],
            "rollout=1": ["approve rollout", "start rollout", "office@1"],
            f"subject={OTHERS[0]}": ["deny", "stolen"],
            "since=2027-01-15&until=2027-01-15&deed=deny": ["stolen"],
        }.items():
            answer = await browser.get(f"/audit?{query}")
            assert answer.status == 200
            for one in words:
                assert one in answer.words, (query, one)
            assert len(_entries(answer)) < len(whole)
        assert _entries(await browser.get("/audit?until=2027-01-14")) == []
        assert _entries(await browser.get("/audit?who=&deed=&rollout=&since=")) == whole
        for query in (
            "since=yesterday",
            "since=2026-02-30",
            "until=9999-12-31",
            "rollout=x",
            "after=-1",
            "limit=100001",
        ):
            assert (await browser.get(f"/audit?{query}")).status == 422, query


async def test_who_approved_a_rollout_is_three_clicks_away(company: Company) -> None:
    company.start()
    approve_rollout(company.context, BOB, 1)
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        start = await browser.get("/help")
        assert "/audit" in start.links  # one
        tabs = (await browser.get("/audit")).links
        assert "/audit?deed=approve" in tabs  # two
        found = await browser.get("/audit?deed=approve")
        assert "local:bob" in found.words
        assert "/rollouts/1" in found.links
        assert len(_entries(found)) == 1  # three: all of it
        entry = await browser.get(f"/audit/{_entries(found)[0]}")
        assert "local:bob" in entry.words
        assert "office@1" in entry.words


async def test_older_entries_are_behind_a_link_that_keeps_the_filters(company: Company) -> None:
    for _ in range(60):
        with company.context.audited(ROOT, Deed("try", "a thing", reason="because")):
            pass
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        first = await browser.get("/audit?deed=try")
        assert len(_entries(first)) == 50
        (older,) = [link for link in first.links if "after=" in link]
        second = await browser.get(older)
        assert len(_entries(second)) == 10
        assert max(_entries(second)) < min(_entries(first))
        assert "Newest entries" in second.words


async def test_what_people_wrote_is_text(company: Company) -> None:
    deed = Deed(HOSTILE[:60], HOSTILE[:60], reason=HOSTILE, details={HOSTILE[:40]: HOSTILE})
    with company.context.audited(ROOT, deed):
        pass
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        answer = await browser.get("/audit?subject=script")
        number = _entries(answer)[0]
        for shown in (answer, await browser.get(f"/audit/{number}"), await browser.get("/people/olga")):
            assert shown.status == 200
            assert "<script>alert" not in shown.text
            assert not {"\u202e", "\u2066"} & set(shown.text)
        typed = await browser.get("/audit?who=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        assert typed.status == 200
        assert "<script>alert" not in typed.text


async def test_an_entry_has_all_its_fields_and_its_place(company: Company) -> None:
    _happen(company, OTHERS[0], "stolen")
    size = company.database.audit_size()
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        answer = await browser.get(f"/audit/{size - 1}")
        data = company.database.audit_entry(size - 1)
        assert data is not None
        assert leaf_hash(data).hex() in answer.words
        for words in ("local:root", "deny", "stolen", OTHERS[0], "as a user of the server itself"):
            assert words in answer.words
        assert f"/pcs/{OTHERS[0]}" in answer.links
        assert (await browser.get("/audit/1000000")).status == 404
        assert (await browser.get("/audit/x")).status == 422


async def test_a_proof_is_taken_away_and_holds_without_this_server(company: Company) -> None:
    _happen(company, OTHERS[0], "stolen")
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        number = company.database.audit_size() - 2
        answer = await browser.get(f"/audit/{number}/proof")
    assert answer.header("content-disposition") == f'attachment; filename="audit-{number}-proof.json"'
    proof = json.loads(answer.body)
    checkpoint = read_checkpoint(proof["checkpoint"].encode())
    leaf = leaf_hash(base64.b64decode(proof["entry"]["entry"]))
    hashes = [bytes.fromhex(one) for one in proof["hashes"]]
    assert proves_inclusion(leaf, proof["number"], checkpoint.size, hashes, checkpoint.root)


async def test_an_entry_whose_proof_cannot_be_made_is_shown_and_says_so(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        company.database.save_audit_checkpoint(1, b"nonsense")
        answer = await browser.get("/audit/0")
    assert answer.status == 200
    assert "is not that of its entries" in answer.words


# --- the log as a whole ------------------------------------------------------------------


async def test_the_log_is_computed_anew_where_that_is_asked_for(company: Company) -> None:
    _happen(company, OTHERS[0], "stolen")
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        asked = await browser.get("/audit-log")
        assert "computed anew" not in asked.words
        assert "The audit log is whole" in (await browser.get("/audit-log?compute=yes")).words
        _tamper(company)
        assert "NOT what its checkpoints vouch for" in (await browser.get("/audit-log?compute=yes")).words


def _tamper(company: Company) -> None:
    with sqlite3.connect(company.context.home.database) as state:
        state.execute(
            "UPDATE audit_entries SET entry = (SELECT entry FROM audit_entries WHERE number = 0) WHERE number = 1"
        )


async def test_a_checkpoint_that_was_kept_is_compared(company: Company) -> None:
    _happen(company, OTHERS[0], "stolen")
    async with pages_of(company.context) as site:
        browser = site.browser("olga", "auditor")
        kept = (await browser.get("/audit-log/checkpoint")).body.decode()
        found = newest_checkpoint(company.context)
        assert found is not None
        assert kept.encode() == found[1]
        _happen(company, OTHERS[1], "stolen too")
        yes = await browser.post("/audit-log/compare", {"checkpoint": kept.replace("\n", "\r\n").strip()})
        assert yes.status == 200
        assert "Yes: its first" in yes.words
        for wrong in ("nonsense", HOSTILE[:500], kept.replace("key ", "kex ")):
            no = await browser.post("/audit-log/compare", {"checkpoint": wrong})
            assert no.status == 422, wrong
            assert "This is no checkpoint" in no.words
            assert "<script>alert" not in no.text
        assert (await browser.post("/audit-log/compare", {"checkpoint": "x" * 5_000})).status == 422
        assert (await browser.post("/audit-log/compare", {})).status == 422
