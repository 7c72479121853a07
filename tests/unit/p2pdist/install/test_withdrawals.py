"""`p2pdist.install.withdrawals`; that the loop keeps to it, `test_loop` shows."""

import math
from pathlib import Path

import pytest

from p2pdist.install.journal import JournalStore
from p2pdist.install.lifecycle import InstallRecord, LifeState
from p2pdist.install.withdrawals import EXPIRED, FIRST_LOOK_SECONDS, NOT_CONFIRMED, holds_back, note_withdrawals
from p2pdist.settings import EndpointHome
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.trust.catalogue import Catalogue
from tests.helpers.fake_clock import FakeClock

NOW = 1_900_000_000.0


def catalogue(*, confirmed: bool, expires_at: float = NOW + 60.0) -> Catalogue:
    return Catalogue(1, patches=(), refused=(), stale="", confirmed=confirmed, expires_at=expires_at)


@pytest.mark.parametrize(
    ("known", "running_seconds", "why"),
    [
        (None, math.inf, NOT_CONFIRMED),
        (catalogue(confirmed=True), 0.0, ""),
        (catalogue(confirmed=False), FIRST_LOOK_SECONDS - 1.0, NOT_CONFIRMED),
        (catalogue(confirmed=False), FIRST_LOOK_SECONDS, ""),  # the server is away, and its word still holds
        (catalogue(confirmed=False, expires_at=NOW), math.inf, EXPIRED),
        (catalogue(confirmed=True, expires_at=NOW), math.inf, EXPIRED),  # the server has been away since
    ],
)
def test_who_has_been_away_asks_first(known: Catalogue | None, running_seconds: float, why: str) -> None:
    assert holds_back(known, NOW, clock_believed=True, running_seconds=running_seconds) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (catalogue(confirmed=False), NOT_CONFIRMED),  # who knows how old it is: only the server
        (catalogue(confirmed=True), ""),
        (catalogue(confirmed=True, expires_at=NOW), EXPIRED),
    ],
)
def test_a_clock_that_is_not_believed_makes_no_old_list_good(known: Catalogue, why: str) -> None:
    assert holds_back(known, NOW, clock_believed=False, running_seconds=math.inf) == why


def record(patch_id: str, state: LifeState) -> InstallRecord:
    return InstallRecord(patch_id=patch_id, version="1", state=state, first_seen_at=0.0, changed_at=0.0)


async def test_the_journal_says_once_what_was_withdrawn_with_which_something_has_happened(tmp_path: Path) -> None:
    store = JournalStore(EndpointHome(tmp_path), FakeClock(NOW))
    await store.load()
    records = (record("installed", "installed"), record("waiting", "waiting"), record("other", "failed"))
    for one in records:
        await store.change(lambda journal, one=one: journal.with_record(one))  # type: ignore[misc]
    withdrawn = [
        Withdrawal(patch_id, "1", sequence=1, reason="crashes", at=1) for patch_id in ("installed", "waiting", "gone")
    ]
    for _ in range(2):
        await note_withdrawals(store, withdrawn)
    assert [(entry.patch_id, entry.what) for entry in store.journal.history] == [("installed", "withdrawn: crashes")]
    assert {one.patch_id: one.state for one in store.journal.records} == {one.patch_id: one.state for one in records}
