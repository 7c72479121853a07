"""What the files of patches are on this PC for, as far as installing goes. Pure."""

from p2pdist.install.lifecycle import InstallRecord
from p2pdist.install.plan import Candidate
from p2pdist.shared.manifest.recipe import DebInstall, RpmInstall, ScriptInstall, self_upgrade_of
from p2pdist.transfer.eviction import FileUse


def file_use(candidate: Candidate, record: InstallRecord | None, *, installs: bool) -> FileUse:
    """Return what the file of ``candidate`` is for; ``installs``: whether this PC installs anything."""
    install = candidate.manifest.install
    never = bool(candidate.not_applicable or candidate.older)
    if record is None or record.untouched:
        return FileUse.OTHERS if never else FileUse.NEEDED
    if install is None or not installs:
        return FileUse.NEEDED  # the file itself is what this PC shall have
    settled = not record.undo_asked and record.restart_boot is None
    if record.state in ("failed", "rolled_back") and never and settled:
        return FileUse.OTHERS
    if record.state != "installed" or not settled or self_upgrade_of(install) is not None:
        return FileUse.NEEDED
    if isinstance(install, ScriptInstall) and install.rollback_arguments is not None:
        return FileUse.NEEDED  # it is undone by its own file
    if isinstance(install, DebInstall | RpmInstall) and record.own is not None:
        return FileUse.WAY_BACK
    return FileUse.INSTALLED
