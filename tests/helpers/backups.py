"""Backups of a company's home, as the tests of several rooms make and use them."""

from pathlib import Path

from seed_server.backup.backing_up import BackupDone, back_up
from seed_server.backup.restoring_home import RestoreDone, RestoreWish, restore
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from tests.helpers.fake_clock import FakeClock
from tests.helpers.rollout_company import ADA, BEGIN, Company

PASSPHRASE = b"correct horse battery"


def backed_up(company: Company, folder: Path, passphrase: bytes | None = None) -> BackupDone:
    """Back up a company's home into ``folder``; without keys, which takes no time, unless a passphrase is given."""
    return back_up(company.context, folder / "backup", passphrase)


def restored(folder: Path, wish: RestoreWish, *, later: float = 3_600.0) -> tuple[Context, RestoreDone]:
    """Restore into another home, some time later."""
    context = Context(ServerHome(folder / "restored"), FakeClock(BEGIN + later))
    return context, restore(context, lambda _context: ADA, wish, on_read=lambda _done, _all: None)


def keys_elsewhere(company: Company, folder: Path) -> RestoreWish:
    """Return what restores a backup that has no keys."""
    return RestoreWish(folder / "backup", keys=company.context.home.keys)
