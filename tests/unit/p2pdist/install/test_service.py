"""`p2pdist.install.service`: what the catalogue says becomes what is planned, and what people are told of it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks
from p2pdist.install.restart_times import DueRestart, RestartBy
from p2pdist.install.service import SWITCHED_OFF, InstallService, forced_words, restart_words
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.shared.manifest.recipe import ArchiveInstall
from p2pdist.transfer.places import MOST_PLACES
from p2pdist.transfer.transfer import Transfer, new_record
from p2pdist.trust.catalogue import Catalogue, NotApplicable, NotYet
from p2pdist.trust.ring_rules import RingReason, RingWait
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import manifest
from tests.helpers.patch_views import plan_row, transfer

REFUSAL = "a newer one is signed"


def service(
    home: Path, installer: Installer | None = None, transfers: Sequence[Transfer] = (), **settings: Any
) -> InstallService:
    async def damaged(_torrent: str) -> None:
        raise AssertionError

    quiet = SimpleNamespace(set_templates=lambda _: None, facts_changed=lambda: None)
    return InstallService(
        EndpointHome(home),
        DaemonSettings(**settings),
        installer or Installer(home / "root", home / "scratch"),
        cast("Any", SimpleNamespace(everything=lambda: transfers)),
        DaemonHooks(lambda: None, damaged, lambda: None),
        cast("Any", quiet),
        FakeClock(),
        posture=cast("Any", None),
    )


def catalogue(*skipped: NotApplicable) -> Catalogue:
    return Catalogue(timestamp_version=1, patches=(), refused=(), stale="", not_applicable=skipped)


def skipped(version: str, *, older: bool) -> NotApplicable:
    entry = RolloutEntry(patch_id="acme", version=version, sequence=1)
    reason = REFUSAL if older else "not for kiosks"
    return NotApplicable(entry, manifest(version, ArchiveInstall(directory="/opt/acme")), reason, older=older)


def test_a_step_back_is_planned_as_refused_and_told_to_people_and_once_to_the_log(tmp_path: Path) -> None:
    installs = service(tmp_path)
    with capture_logs() as logged:
        for _ in range(2):
            installs.follow_catalogue(catalogue(skipped("1", older=True), skipped("2", older=False)))
    assert [(line["event"], line["patch"], line["reason"]) for line in logged] == [("patch refused", "acme@1", REFUSAL)]
    assert {str(row.candidate.ref): (row.state, row.reason) for row in installs.plan()} == {
        "acme@1": ("not_applicable", f"refused: {REFUSAL}"),
        "acme@2": ("not_applicable", "not for kiosks"),
    }
    assert installs.problems == [f"acme@1 is refused: {REFUSAL}."]
    with capture_logs() as logged:
        installs.follow_catalogue(catalogue())
        installs.follow_catalogue(catalogue(skipped("1", older=True)))
    assert len(logged) == 1, "it was gone in between"


def test_a_file_is_named_for_the_patches_that_have_it_and_not_for_one_that_has_just_got_these_bytes(
    tmp_path: Path,
) -> None:
    first, second = (transfer(ref=PatchRef("acme", version)).patch for version in ("1", "2"))
    here = replace(transfer(ref=first.ref, state="verified"), patches=(first, second))
    installs = service(tmp_path, transfers=[here])
    installs.follow_catalogue(Catalogue(1, patches=(first, second), refused=(), stale=""))
    file = str(tmp_path / "patches" / "acme" / "1" / "f")
    assert [candidate.file for candidate in installs.candidates()] == [file, None]
    here.record = new_record((first, second), 0.0)
    assert all(candidate.file for candidate in installs.candidates())


def test_candidates_are_made_anew_only_when_a_file_is_proven_or_lost_or_the_catalogue_changes(tmp_path: Path) -> None:
    coming, other = transfer(1, PatchRef("acme", "1")), transfer(2, PatchRef("tool", "1"))
    coming.record, other.record = new_record(coming.patches, 0.0), new_record(other.patches, 0.0)
    installs = service(tmp_path, transfers=[coming, other])
    assert not installs.candidates()
    rolled_out = Catalogue(1, patches=(coming.patch, other.patch), refused=(), stale="")
    installs.follow_catalogue(rolled_out)

    def here() -> list[str]:
        candidates = installs.candidates()
        assert installs.candidates() is candidates, "nothing has changed"
        return [candidate.ref.patch_id for candidate in candidates if candidate.file]

    assert here() == []
    coming.state = "verified"
    assert here() == ["acme"]
    coming.state, other.state = "checking", "verified"
    assert here() == ["tool"], "as many as before, and another one"
    installs.follow_catalogue(replace(rolled_out, patches=(coming.patch,)))
    assert here() == []


def test_the_loop_is_woken_once_when_a_file_is_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coming = transfer(1, PatchRef("acme", "1"))
    installs = service(tmp_path, transfers=[coming])
    installs.follow_catalogue(Catalogue(1, patches=(coming.patch,), refused=(), stale=""))
    installs.refresh_files()
    woken: list[bool] = []
    monkeypatch.setattr(installs.installs, "wake", lambda: woken.append(True))
    installs.refresh_files()
    assert not woken
    coming.state = "verified"
    installs.plan()  # whoever looks first
    for _ in range(2):
        installs.refresh_files()
    assert len(woken) == 1


def test_hundreds_of_patches_may_have_the_same_bytes(tmp_path: Path) -> None:
    patches = tuple(transfer(ref=PatchRef("acme", str(version))).patch for version in range(MOST_PLACES))
    here = replace(transfer(state="verified"), patches=patches, record=new_record(patches, 0.0))
    installs = service(tmp_path, transfers=[here])
    installs.follow_catalogue(Catalogue(1, patches=patches, refused=(), stale=""))
    assert len(patches) >= 500
    assert all(candidate.file for candidate in installs.candidates())


REF = PatchRef("acme", "1")
AT = datetime(2026, 11, 25, 22, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("restart", "words"),
    [
        (DueRestart(REF, RestartBy.NOBODY, None), ""),
        (DueRestart(REF, RestartBy.USER, None), "Restart this PC to finish acme@1."),
        (DueRestart(REF, RestartBy.USER_ALONE, None), "Restart this PC to finish acme@1."),
        (
            DueRestart(REF, RestartBy.DAEMON, None, notice=timedelta(minutes=5)),
            "This PC restarts by itself in a few minutes to finish acme@1: save your work.",
        ),
        (
            DueRestart(REF, RestartBy.DAEMON, None, again_at=AT),
            "This PC restarts by itself at 2026-11-25 22:00 at the latest to finish acme@1, or restart it before.",
        ),
        (
            DueRestart(REF, RestartBy.DAEMON, None),
            "This PC restarts by itself to finish acme@1, or restart it before.",
        ),
    ],
)
def test_a_restart_is_told_to_who_sits_there(restart: DueRestart, words: str) -> None:
    assert restart_words(restart, UTC) == words


def test_an_installation_that_a_deadline_forces_is_told_in_time() -> None:
    row = plan_row(REF, life="waiting", here=True)
    assert forced_words(row, UTC) == ""
    assert forced_words(replace(row, forced_at=AT), UTC) == (
        "acme@1 is installed at 2026-11-25 22:00 at the latest, its deadline is over: save your work until then."
    )


def test_that_nothing_is_installed_here_is_said(tmp_path: Path) -> None:
    assert service(tmp_path, install=False).problems == [SWITCHED_OFF]
    assert service(tmp_path).problems == []


def test_that_this_user_cannot_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (problem,) = service(tmp_path, Installer(Path("/"), tmp_path / "scratch")).problems
    assert "does not run as root" in problem
    assert service(tmp_path).problems == [], "an image that is being built may be the user's own"


def test_what_waits_for_its_ring_is_planned_as_waiting_and_is_no_problem(tmp_path: Path) -> None:
    installs = service(tmp_path)
    wait = RingWait(RingReason.HELD, "until 2026-12-01 00:00 UTC, by kim: tax", 1_796_083_200.0)
    entry = RolloutEntry(patch_id="acme", version="2", sequence=1)
    made = NotYet(entry, manifest("2", ArchiveInstall(directory="/opt/acme")), wait)
    installs.follow_catalogue(replace(catalogue(), not_yet=(made,)))
    (row,) = installs.plan()
    assert (row.reason, row.again_at, row.due) == (wait.words, wait.until, False)
    assert installs.problems == []
    (shown,) = installs.orders.plan().patches
    assert (shown.state, shown.step, shown.reason) == ("waiting", "waits", wait.words)
