"""The home's own files are changed with an entry before, and never over what somebody else has written meanwhile."""

import errno
import os
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.home_file_operations import NOT_WRITTEN, change_settings, set_site_map
from seed_server.line.site_map_file import MAX_SITES_BYTES, load_sites
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import settings_text
from seed_server.store.audit_entry import decode_entry
from tests.helpers.people import ROOT, copied, new_home, person

SITES = '[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def context(home: ServerHome, tmp_path: Path) -> Context:
    return copied(home, tmp_path)[0]


def operations(context: Context) -> list[tuple[str, str]]:
    with context.database() as database:
        found = [database.audit_entry(number) for number in range(database.audit_size())]
    return [(one.operation, one.reason) for one in (decode_entry(data) for data in found if data is not None)]


def test_a_site_map_is_set_and_keeps_the_files_mode(context: Context) -> None:
    context.home.sites.chmod(0o644)
    before = context.home.sites.read_text()
    assert [site.name for site in set_site_map(context, ROOT, SITES, before=before).sites] == ["oslo"]
    assert context.home.sites.read_text() == SITES
    assert context.home.sites.stat().st_mode & 0o777 == 0o644
    assert operations(context) == [("set site map", "")]
    context.home.sites.unlink()
    set_site_map(context, ROOT, SITES, before="")
    assert context.home.sites.stat().st_mode & 0o777 == 0o600


def test_what_is_no_site_map_or_was_changed_meanwhile_changes_nothing(context: Context) -> None:
    before = context.home.sites.read_text()
    for text, known, kind in (
        ("[[site]]\n", before, FaultKind.BAD_INPUT),
        (SITES, f"{before}# seen otherwise\n", FaultKind.BUSY),
        (SITES + "#" * MAX_SITES_BYTES, before, FaultKind.BAD_INPUT),
    ):
        with pytest.raises(UserError) as caught:
            set_site_map(context, ROOT, text, before=known)
        assert caught.value.kind is kind
    assert context.home.sites.read_text() == before
    assert operations(context) == []
    longest = SITES + "#" * (MAX_SITES_BYTES - len(SITES))
    set_site_map(context, ROOT, longest, before=before)
    assert [site.name for site in load_sites(context.home).sites] == ["oslo"]


def test_a_limited_right_does_not_reach_the_site_map(context: Context) -> None:
    nora = person(context, "nora", "network-admin", sites=("oslo",))
    with pytest.raises(UserError, match="reaches further"):
        set_site_map(context, nora, SITES, before=context.home.sites.read_text())


def test_settings_are_checked_before_they_are_written(context: Context) -> None:
    before = settings_text(context.home)
    change_settings(context, ROOT, before + "backup_days = 9\n", before=before, changed=("backup_days",))
    assert context.settings().backup_days == 9
    with pytest.raises(UserError) as caught:
        change_settings(context, ROOT, "backup_days = 9\n", before=settings_text(context.home), changed=("name",))
    assert caught.value.kind is FaultKind.BAD_INPUT
    with pytest.raises(UserError, match="changed meanwhile"):
        change_settings(context, ROOT, before, before=before, changed=("backup_days",))
    assert context.settings().backup_days == 9
    operator = person(context, "ola", "operator")
    with pytest.raises(UserError, match="the right 'keys' is missing"):
        change_settings(context, operator, before, before=settings_text(context.home), changed=("backup_days",))


def test_an_entry_whose_file_is_not_written_is_taken_back(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full from then on; the database, which is on another one, is not."""
    before = context.home.sites.read_text()
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if ".sites.toml." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        set_site_map(context, ROOT, SITES, before=before)
    assert caught.value.kind is FaultKind.STORAGE
    assert context.home.sites.read_text() == before
    assert operations(context) == [("set site map", ""), (NOT_WRITTEN, "No space left on device")]
