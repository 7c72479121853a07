"""`p2pdist.install.lifecycle`: the state table, the journal, and how often each class of failure is tried again."""

from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import (
    MAX_HISTORY,
    MAX_NUMBERED,
    MAX_RECORDS,
    PATIENCE,
    TRANSITIONS,
    UNDER_WAY,
    FailureClass,
    HistoryEntry,
    InstallRecord,
    Journal,
    LifeEvent,
    LifeState,
    PutOff,
    RestartRules,
    failed,
    new_record,
    published_again,
    reported_state,
    settled,
    step,
    with_restart_of,
)
from p2pdist.install.outcomes import InstallEnding
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.wire import codec

STEPS = TRANSITIONS.steps
RECORD = InstallRecord(patch_id="acme", version="2", state="waiting", first_seen_at=1.0, changed_at=1.0)


def test_only_detection_leads_to_installed() -> None:
    into = {(before, event) for (before, event), after in STEPS.items() if after == "installed"}
    assert {event for _, event in into} == {LifeEvent.DETECTED, LifeEvent.HEALTHY}
    assert [before for before, event in into if event is LifeEvent.HEALTHY] == ["checking"]
    assert [before for (before, _), after in STEPS.items() if after == "checking"] == ["detecting"]


def test_nothing_under_way_can_begin_again() -> None:
    assert [state for state in UNDER_WAY if (state, LifeEvent.BEGUN) in STEPS] == []
    with pytest.raises(ValueError, match="'installing' cannot take"):
        TRANSITIONS.after("installing", LifeEvent.BEGUN)


def test_every_state_has_a_way_out() -> None:
    states = {state for state, _ in STEPS} | set(STEPS.values())
    assert {state for state, _ in STEPS} == states


@pytest.mark.parametrize(
    ("failure", "delays"),
    [
        (FailureClass.VERIFY, [60, 120, 240, 480, None]),
        (FailureClass.INSTALL, [600, 1_200, None]),
        (FailureClass.DETECT, [1_800, None]),
        (FailureClass.HEALTH, [None]),
        (FailureClass.USER, [None]),
    ],
)
def test_each_class_has_its_own_patience(failure: FailureClass, delays: list[float | None]) -> None:
    record = replace(RECORD, state="failed" if failure is FailureClass.VERIFY else "rolled_back")
    got = []
    for _ in delays:
        record = settled(failed(record, failure, "why"), 100.0, 1.0)
        got.append(None if record.retry_at is None else record.retry_at - 100.0)
    assert got == delays
    assert len(delays) == PATIENCE[failure][0]


def test_what_failed_and_changed_nothing_is_tried_again_as_what_was_rolled_back() -> None:
    record = failed(RECORD, FailureClass.INSTALL, "no")
    waits = {settled(replace(record, state=state), 0.0, 1.0).retry_at for state in ("failed", "rolled_back")}
    assert waits == {600.0}


def test_a_final_state_forgets_what_only_mattered_on_the_way() -> None:
    under_way = replace(
        RECORD, state="rolling_back", seen_before={"package": "1"}, interrupted=2, restarted_at=3.0, retry_at=9.0,
        ending=InstallEnding.FAILED, put_off=PutOff(count=4, since=1.0),
    )  # fmt: skip
    after = step(under_way, LifeEvent.ROLLED_BACK, 10.0)
    assert (after.seen_before, after.interrupted, after.restarted_at, after.ending) == ({}, 0, None, None)
    assert (after.put_off, after.retry_at) == (None, None)


def test_being_put_off_is_counted_across_tries() -> None:
    record = replace(RECORD, put_off=PutOff(count=2, since=1.0))
    for event in (LifeEvent.BEGUN, LifeEvent.ENDED, LifeEvent.BUSY):
        record = step(record, event, 5.0)
    assert record.put_off == PutOff(count=2, since=1.0)


def test_success_forgets_failures() -> None:
    record = replace(failed(RECORD, FailureClass.INSTALL, "no"), state="checking", retry_at=5.0, deferred_until=6.0)
    after = step(record, LifeEvent.HEALTHY, 9.0)
    assert (after.failure, after.reason, after.attempts, after.retry_at) == (None, "", {}, None)
    assert (after.deferred_until, after.changed_at) == (None, 9.0)


def test_journal_survives_the_disk_and_stays_bounded() -> None:
    journal = Journal(decisions=7)
    for number in range(MAX_HISTORY + 5):
        record = replace(RECORD, decision=number)
        entry = HistoryEntry(at=0.0, patch_id="acme", version="2", decision=number, what="x")
        journal = journal.with_record(record, entry)
    assert len(journal.history) == MAX_HISTORY
    assert journal.history[-1].decision == MAX_HISTORY + 4
    assert len(journal.records) == 1
    full = replace(journal, records=tuple(replace(RECORD, patch_id=f"p{n}") for n in range(MAX_RECORDS)))
    assert len(full.with_record(RECORD).records) == MAX_RECORDS
    failing = journal.with_record(failed(RECORD, FailureClass.DETECT, "why"))
    assert codec.decode(codec.encode(failing), Journal, max_bytes=1 << 24) == failing


def test_what_the_server_is_told() -> None:
    assert reported_state(RECORD) == "waiting"
    assert reported_state(replace(RECORD, state="rolling_back")) == "installing"
    unproven = replace(RECORD, state="unproven")
    assert reported_state(unproven) == "unproven"
    assert reported_state(replace(unproven, restart_boot="boot")) == "restart_pending"


@pytest.mark.parametrize("state", ["failed", "rolled_back"])
def test_what_is_tried_again_and_what_nobody_tries_again_are_told_apart(state: LifeState) -> None:
    assert reported_state(replace(RECORD, state=state, retry_at=9.0)) == "retrying"
    assert reported_state(replace(RECORD, state=state)) == state


def test_the_lowest_number_is_the_highest_installed_and_never_sinks() -> None:
    journal = Journal()
    for state, number, lowest in (
        ("waiting", 2, {}),
        ("installing", 2, {}),
        ("rolled_back", 2, {}),  # it was never well
        ("installed", 2, {"acme": 2}),
        ("rolled_back", 2, {"acme": 2}),
        ("installed", 1, {"acme": 2}),
        ("installed", 3, {"acme": 3}),
        ("waiting", 9, {"acme": 3}),
    ):
        journal = journal.with_record(replace(RECORD, state=state, number=number))
        assert journal.lowest == lowest
    assert codec.decode(codec.encode(journal), Journal, max_bytes=10_000) == journal


def test_what_it_superseded_is_below_the_lowest_from_then_on() -> None:
    newer = replace(RECORD, state="installed", number=4, replaces={"old": 3, "older": 1})
    journal = Journal(lowest={"older": 7}).with_record(newer)
    assert journal.lowest == {"acme": 4, "old": 4, "older": 7}


def test_the_lowest_numbers_are_capped_and_the_oldest_is_forgotten() -> None:
    journal = Journal(lowest={f"p{n}": 1 for n in range(MAX_NUMBERED)})
    after = journal.with_record(replace(RECORD, state="installed", number=1))
    assert len(after.lowest) == MAX_NUMBERED
    assert "p0" not in after.lowest
    assert after.lowest["acme"] == 1


def publication() -> Manifest:
    payload = Payload(file_name="a", length_bytes=1, sha256="0" * 64, torrent_hash="0" * 64)
    return Manifest(
        format=1, patch_id="acme", version="2", title="", severity="low", cvss=None, published_at=0,
        payloads=[payload], number=3, replaces={"old": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "number", "fresh"),
    [
        ("failed", 1, True),
        ("rolled_back", 1, True),
        ("installed", 1, False),
        ("installing", 1, False),
        ("failed", 0, False),
    ],
)
def test_published_again_it_is_tried_anew_unless_it_is_here_or_under_way(
    state: LifeState, number: int, fresh: bool
) -> None:
    manifest = publication()
    before = failed(replace(RECORD, state=state, number=number), FailureClass.INSTALL, "why")
    after = published_again(before, manifest, 9.0)
    assert (after.number, after.replaces) == (3, {"old": 1})
    assert after == (new_record(manifest, 9.0) if fresh else replace(before, number=3, replaces={"old": 1}))


WINDOW, ASK, NEVER = (RestartRules(reboot=reboot) for reboot in ("window", "ask", "never"))


def needing(rules: RestartRules | None, boot: str | None = "boot", **fields: Any) -> InstallRecord:
    """Return a record that needs a restart by these rules."""
    return InstallRecord(
        patch_id="acme", version="1", first_seen_at=0.0, changed_at=0.0, restart_boot=boot, restart_rules=rules,
        **({"state": "installed"} | fields),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "before", "rules"),
    [
        (needing(None, None), [needing(WINDOW)], WINDOW),
        (needing(None, None), [needing(ASK), needing(WINDOW), needing(NEVER)], WINDOW),
        (needing(NEVER), [needing(ASK)], ASK),
        (needing(WINDOW), [needing(NEVER)], WINDOW),
        (needing(WINDOW), [needing(None, None)], WINDOW),
    ],
)
def test_a_restart_passes_on_to_the_next_version_by_the_strongest_rules(
    own: InstallRecord, before: list[InstallRecord], rules: RestartRules
) -> None:
    after = with_restart_of(own, before)
    assert (after.restart_boot, after.restart_rules) == ("boot", rules)


def test_nothing_passes_on_where_no_restart_is_needed() -> None:
    own = needing(None, None)
    assert with_restart_of(own, [own]) == own


def test_what_needs_a_restart_is_not_forgotten() -> None:
    assert needing(None, None, state="waiting").untouched
    assert not needing(ASK, state="waiting").untouched


def test_a_restart_outlives_that_its_patch_is_published_again() -> None:
    after = published_again(needing(ASK, state="rolled_back", number=1), publication(), 1.0)
    assert (after.state, after.number, after.restart_boot, after.restart_rules) == (
        "waiting",
        publication().number,
        "boot",
        ASK,
    )


@pytest.mark.parametrize(
    ("rules", "state"),
    [(ASK, "restart_pending"), (WINDOW, "restart_pending"), (None, "restart_pending"), (NEVER, "installed")],
)
def test_what_is_installed_and_needs_a_restart_is_not_told_as_installed(rules: RestartRules | None, state: str) -> None:
    assert reported_state(needing(rules)) == state
    assert reported_state(needing(rules, None)) == "installed"
