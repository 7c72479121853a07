"""`p2pdist.install.service`: what the catalogue says becomes what is planned, and what people are told of it."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks
from p2pdist.install.service import SWITCHED_OFF, InstallService
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.shared.manifest.recipe import ArchiveInstall
from p2pdist.trust.catalogue import Catalogue, NotApplicable
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import manifest

REFUSAL = "a newer one is signed"


def service(home: Path, installer: Installer | None = None, **settings: Any) -> InstallService:
    async def damaged(_torrent: str) -> None:
        raise AssertionError

    quiet = SimpleNamespace(set_templates=lambda _: None, facts_changed=lambda: None)
    return InstallService(
        EndpointHome(home),
        DaemonSettings(**settings),
        installer or Installer(home / "root", home / "scratch"),
        cast("Any", SimpleNamespace(everything=list)),
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


def test_that_nothing_is_installed_here_is_said(tmp_path: Path) -> None:
    assert service(tmp_path, install=False).problems == [SWITCHED_OFF]
    assert service(tmp_path).problems == []


def test_that_this_user_cannot_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (problem,) = service(tmp_path, Installer(Path("/"), tmp_path / "scratch")).problems
    assert "does not run as root" in problem
    assert service(tmp_path).problems == [], "an image that is being built may be the user's own"
