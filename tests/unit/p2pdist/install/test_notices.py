"""`p2pdist.install.notices`: what disturbs, when, and whether it can still be put off."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import InstallRecord, Journal
from p2pdist.install.notices import coming_installs, coming_restarts
from p2pdist.install.plan import Candidate, PlanMoment, plan_rows
from p2pdist.install.restart_times import due_restarts
from p2pdist.local_api.install_answers import ComingInstall
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.fitting import RESTART_NOTICE
from p2pdist.shared.manifest.recipe import ArchiveInstall, ScheduleRules

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
PAYLOAD = Payload(file_name="a.tar", length_bytes=1, sha256="0" * 64, torrent_hash="1" * 64)


def manifest(rules: ScheduleRules, **fields: Any) -> Manifest:
    made: dict[str, Any] = {"install": ArchiveInstall(directory="/opt/acme"), "severity": "high", "title": "Acme"}
    return Manifest(
        format=1, patch_id="acme", version="1", cvss=None, published_at=0, payloads=[PAYLOAD], schedule=rules,
        titles={"ja": "アクメ"}, **(made | fields),
    )  # fmt: skip


def coming(
    rules: ScheduleRules,
    now: datetime = NOON,
    *,
    here: bool = True,
    believed: bool = True,
    fields: Any = (),
    **life: Any,
) -> ComingInstall | None:
    record = InstallRecord(patch_id="acme", version="1", state="waiting", first_seen_at=0.0, changed_at=0.0)
    candidate = Candidate(manifest(rules, **dict(fields)), 1, PAYLOAD, "/x" if here else None)
    moment = PlanMoment(now, UTC, clock_believed=believed)
    rows = plan_rows([candidate], Journal(records=(replace(record, **life),)), moment)
    found = coming_installs(rows, moment)
    return found[0] if found else None


DEFERRABLE = ScheduleRules(deferrals=2, longest_deferral_minutes=240)
AT_NIGHT = ScheduleRules(windows=("mon-fri 22:00-05:00",), reboot="window")


def test_what_disturbs_nobody_is_not_told() -> None:
    assert coming(ScheduleRules()) is None
    assert coming(ScheduleRules(emergency=True)) is None
    assert coming(DEFERRABLE, state="installed") is None
    assert coming(DEFERRABLE, retry_at=1.0) is None
    assert coming(DEFERRABLE, fields=[("install", None)]) is None
    assert coming(DEFERRABLE, believed=False) is None, "by a clock that is wrong nobody knows when"


def test_what_can_be_put_off_says_until_when() -> None:
    for here in (True, False):
        told = coming(DEFERRABLE, here=here)
        assert told is not None
        assert (told.begins_at, told.later_until) == (None, (NOON + timedelta(hours=4)).timestamp())
        assert (told.later_refusal, told.deferred, told.overdue, told.may_restart) == ("", False, False, False)
        assert (told.title, told.titles) == ("Acme", {"ja": "アクメ"})


def test_a_deferral_that_lasts_can_be_ended_and_the_last_one_is_the_last() -> None:
    since = (NOON - timedelta(hours=1)).timestamp()
    until = (NOON + timedelta(hours=3)).timestamp()
    told = coming(DEFERRABLE, deferral_count=2, deferred_since=since, deferred_until=until)
    assert told is not None
    assert (told.begins_at, told.deferred, told.later_until) == (until, True, None)
    assert told.later_refusal == "It is deferred until then already."
    over = coming(DEFERRABLE, deferral_count=2, deferred_since=since, deferred_until=NOON.timestamp())
    assert over is not None
    assert (over.deferred, over.later_until) == (False, None)
    assert over.later_refusal == "It has been deferred 2 times, and 2 are allowed."


def test_a_window_is_said_beforehand_and_a_restart_too() -> None:
    told = coming(AT_NIGHT)
    assert told is not None
    assert told.begins_at == NOON.replace(hour=22).timestamp()
    assert (told.may_restart, told.later_refusal) == (True, "It cannot be deferred.")


def test_what_its_deadline_forces_is_told_though_nobody_may_put_it_off() -> None:
    rules = ScheduleRules(windows=("sun 01:00-02:00",), deadline="2026-11-25T11:30", grace_minutes=60)
    told = coming(rules, overdue_since=NOON.timestamp() - 1_800)
    assert told is not None
    assert (told.overdue, told.begins_at) == (True, (NOON + timedelta(minutes=30)).timestamp())
    assert told.later_refusal == "It cannot be deferred."


@pytest.mark.parametrize("wanted_hours", [1, 4, 99])
def test_what_is_said_of_later_is_what_the_daemon_does(wanted_hours: int) -> None:
    """The deadline cuts it, on the button too."""
    rules = ScheduleRules(deferrals=1, longest_deferral_minutes=wanted_hours * 60, deadline="2026-11-25T14:00")
    told = coming(rules)
    assert told is not None
    assert told.later_until == (NOON + timedelta(hours=min(wanted_hours, 2))).timestamp()


def test_restarts_that_somebody_is_to_make() -> None:
    needing = InstallRecord(
        patch_id="acme", version="1", state="installed", first_seen_at=0.0, changed_at=0.0, restart_boot="boot"
    )
    at_night = ScheduleRules(windows=("mon-fri 22:00-05:00",), reboot="window")
    records = [
        replace(needing, restart_rules=ScheduleRules()),
        replace(needing, restart_rules=ScheduleRules(reboot="ask")),
        replace(needing, restart_rules=at_night),
        replace(needing, restart_rules=ScheduleRules(reboot="window")),
    ]
    due = due_restarts(records, PlanMoment(NOON, UTC), may_restart=True)
    asked, later, now = coming_restarts(due, {due[0].ref: manifest(at_night)}, NOON.timestamp())
    assert (asked.by_itself, asked.begins_at, asked.announced, asked.title) == (False, None, False, "Acme")
    assert (later.by_itself, later.begins_at, later.announced) == (True, NOON.replace(hour=22).timestamp(), False)
    assert (now.begins_at, now.announced) == ((NOON + RESTART_NOTICE).timestamp(), True)
    assert coming_restarts(due, {}, 0.0)[0].title == "", "it may have been withdrawn"
