"""`p2pdist.install.file_uses`: what is to be installed, or is a way back, is needed; the rest is for others."""

from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.install.file_uses import file_use
from p2pdist.install.lifecycle import InstallRecord, KeptFile
from p2pdist.install.plan import Candidate
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.recipe import ArchiveInstall, DebInstall, Install, ScriptInstall, SelfUpgrade
from p2pdist.transfer.eviction import FileUse
from tests.helpers.patch_views import manifest, payload

REF = PatchRef("acme", "1")
ARCHIVE, DEB = ArchiveInstall(directory="/opt/acme"), DebInstall(package="acme")
SCRIPT = ScriptInstall(interpreter="sh")
OWN = KeptFile(version="1", file_name="f", sha256="0" * 64)
INSTALLED = InstallRecord(patch_id="acme", version="1", state="installed", first_seen_at=0, changed_at=0)


def candidate(install: Install | None, **fields: Any) -> Candidate:
    return Candidate(manifest(REF, payload(), install=install), 1, payload(), None, **fields)


@pytest.mark.parametrize(
    ("install", "record", "use"),
    [
        (ARCHIVE, INSTALLED, FileUse.INSTALLED),
        (DEB, INSTALLED, FileUse.INSTALLED),
        (DEB, replace(INSTALLED, own=OWN), FileUse.WAY_BACK),
        (ARCHIVE, replace(INSTALLED, own=OWN), FileUse.INSTALLED),
        (SCRIPT, INSTALLED, FileUse.INSTALLED),
        (replace(SCRIPT, rollback_arguments=("undo",)), INSTALLED, FileUse.NEEDED),
        (replace(DEB, self_upgrade=SelfUpgrade()), replace(INSTALLED, own=OWN), FileUse.NEEDED),
        (ARCHIVE, replace(INSTALLED, undo_asked=True), FileUse.NEEDED),
        (ARCHIVE, replace(INSTALLED, restart_boot="boot"), FileUse.NEEDED),
        (ARCHIVE, replace(INSTALLED, state="failed"), FileUse.NEEDED),
        (ARCHIVE, replace(INSTALLED, state="waiting"), FileUse.NEEDED),
        (ARCHIVE, None, FileUse.NEEDED),
        (None, None, FileUse.NEEDED),
        (None, INSTALLED, FileUse.NEEDED),
    ],
)
def test_a_file_is_needed_until_its_patch_is_installed_for_good(
    install: Install | None, record: InstallRecord | None, use: FileUse
) -> None:
    assert file_use(candidate(install), record, installs=True) is use


def test_what_does_not_apply_is_for_others_and_where_nothing_is_installed_files_are_what_is_wanted() -> None:
    foreign = candidate(ARCHIVE, not_applicable="it is for kiosks")
    assert file_use(foreign, None, installs=True) is FileUse.OTHERS
    assert file_use(foreign, replace(INSTALLED, state="failed"), installs=True) is FileUse.OTHERS
    assert file_use(foreign, INSTALLED, installs=True) is FileUse.INSTALLED
    assert file_use(candidate(ARCHIVE), None, installs=False) is FileUse.NEEDED
    assert file_use(candidate(ARCHIVE), INSTALLED, installs=False) is FileUse.NEEDED
