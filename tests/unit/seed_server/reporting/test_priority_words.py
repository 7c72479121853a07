"""`seed_server.reporting.priority_words`: a decision in one sentence, what it goes by, and what follows."""

import pytest

from p2pdist.shared.language import ENGLISH, TRANSLATIONS, catalog_of
from seed_server.reporting.priority_decision import WorldKnowledge, decide
from seed_server.reporting.priority_words import (
    NextStep,
    Offered,
    doubts_of,
    inputs_of,
    leaf_words,
    next_step,
    why_sentence,
)
from tests.helpers.judged_patches import DAY, NOW, OUTSIDE, TABLE, exploited, facts, source, world

FIRST, SECOND = "CVE-2026-1001", "CVE-2026-1002"
URGENT = decide(
    TABLE, facts(FIRST, groups={OUTSIDE: 3}), world(exploited(FIRST, ransomware=True), scores={FIRST: (0.5, 0.99)})
)
PLAIN = decide(TABLE, facts(SECOND), world())
UNKNOWN = decide(TABLE, facts(SECOND, cvss=None), WorldKnowledge())

INSIDE = "10 of the 10 PCs that it may be for are reached from inside and matter as most do"
HIGH = "its CVSS score of 9.8 means a high impact there"
SENTENCES = {
    "acme@1 has the priority Immediate: CVE-2026-1001 is exploited since 2027-01-13, also by ransomware; 3 of the 3 "
    f"PCs that it may be for are reached from outside and matter as most do; {HIGH}; every PC is to have it by "
    "2027-01-16.": URGENT,
    f"acme@1 has the priority Scheduled: nobody is known to exploit CVE-2026-1002; {INSIDE}; {HIGH}; every PC is to "
    "have it by 2027-02-13.": PLAIN,
    f"acme@1 has the priority Scheduled: whether CVE-2026-1002 is exploited is not known; {INSIDE}; it has no CVSS "
    "score, and its severity of medium means a medium impact there; every PC is to have it by 2027-02-13.": UNKNOWN,
    "acme@1 has the priority Defer: its recipe names no CVE, so whether it is exploited is not known; no PC is known "
    "that it is for; its CVSS score of 1.0 means a low impact there; it has no deadline.": decide(
        TABLE, facts(groups={}, cvss=1.0), world()
    ),
    f"acme@1 has the priority Scheduled: nobody is known to exploit any of its 2 CVEs; {INSIDE}; {HIGH}; every PC was "
    "to have it by 2026-11-16.": decide(TABLE, facts(FIRST, SECOND, published_at=NOW - 90 * DAY), world()),
    "acme@1 has the priority Scheduled: EPSS has CVE-2026-1001 among the 2.5 % that are most likely to be exploited; "
    f"{INSIDE}; {HIGH}; every PC is to have it by 2027-02-13.": decide(
        TABLE, facts(FIRST), world(scores={FIRST: (0.2, 0.975)})
    ),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_decision_is_one_sentence(sentence: str) -> None:
    assert why_sentence(SENTENCES[sentence], NOW) == sentence


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_whole_sentence_is_translated(sentence: str, language: str) -> None:
    catalog = catalog_of(language)
    assert catalog is not None
    shown = catalog.finished(sentence)
    left = shown.replace("acme@1", "").replace("CVE-2026-1001", "").replace("CVE-2026-1002", "")
    for word in ("CVE", "CVSS", "EPSS", "PC"):
        left = left.replace(word, "")
    assert not any(sign.isascii() and sign.isalpha() for sign in left), shown
    assert language != ENGLISH


def test_each_input_has_its_source_and_its_day() -> None:
    known = world(exploited(FIRST, ransomware=True), scores={FIRST: (0.5, 0.99)})
    rows = {one.name: (one.value, one.source, one.dated_at) for one in inputs_of(URGENT, known)}
    assert rows == {
        "exploitation": ("active", "kev", NOW - DAY),
        "likelihood": ("likely", "kev", NOW - DAY),
        "exposure": ("open", "tags", None),
        "mission": ("medium", "tags", None),
        "score": ("critical", "recipe", None),
    }
    scored = world(scores={FIRST: (0.2, 0.975)})
    by_score = {one.name: one for one in inputs_of(decide(TABLE, facts(FIRST), scored), scored)}
    assert by_score["exploitation"][3:] == by_score["likelihood"][3:] == ("epss", NOW - DAY)
    assert by_score["likelihood"].words == "EPSS expects it to be tried within 30 days with 20 %"
    rows = {one.name: (one.value, one.source, one.dated_at) for one in inputs_of(UNKNOWN, WorldKnowledge())}
    assert rows["exploitation"] == ("not known", "nothing", None)
    assert rows["likelihood"] == ("unlikely", "nothing", None)


def test_the_leaf_is_named_by_the_words_of_the_table() -> None:
    assert leaf_words(URGENT) == "active, open, likely, high → immediate"
    assert leaf_words(PLAIN) == "none, controlled, unlikely, high → scheduled"


def test_what_is_old_or_was_never_there_is_said() -> None:
    assert doubts_of(world(), NOW) == []
    old = WorldKnowledge({"kev": source("kev", 8.5 * DAY)})
    assert doubts_of(old, NOW) == [
        "No EPSS file was ever imported, so it is not known which weaknesses are likely to be exploited.",
        "What is known of exploited weaknesses (KEV) is of 2027-01-06, 8 days ago.",
    ]


def test_what_follows_is_a_command_where_something_is_to_be_done() -> None:
    start = "seed-server rollout start acme@1 --template emergency --reason 'priority Immediate'"
    assert next_step(URGENT, Offered()) == NextStep("It is offered to nobody yet.", start)
    assert next_step(URGENT, Offered(7, "emergency")) == NextStep(
        "Rollout 7 offers it by the rings of emergency.", ""
    )  # fmt: skip
    assert next_step(URGENT, Offered(7, "rings")).command == (
        f"seed-server rollout abort 7 --reason 'priority Immediate' && {start}"
    )
    assert next_step(PLAIN, Offered(7, "emergency")).command == "", "what is quicker than it has to be goes on"
    assert next_step(URGENT, Offered(to_everyone=True)) == NextStep(
        "Every PC is offered it.", "seed-server status acme@1"
    )
    done = decide(TABLE, facts(FIRST, missing=0), world(exploited(FIRST)))
    assert next_step(done, Offered(to_everyone=True)).command == ""
