"""Is there room for what is to be published? Said before anything is copied, with what could go. Blocking."""

from typing import TYPE_CHECKING

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.deltas.coded_room import CodedRoom
from seed_server.publishing.content_upkeep import ContentUpkeep
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore

if TYPE_CHECKING:
    from seed_server.store.database import Database


def check_room(home: ServerHome, repository: Repository, database: "Database", needed_bytes: int, now: float) -> None:
    """Raise `UserError` (STORAGE) where the disk has no room for files of so many bytes together.

    Coded pieces, which can be made again, are removed where that makes the room.
    """
    content = ContentStore(home.content)
    lacking = content.lacking_bytes(needed_bytes)
    if not lacking:
        return
    coded = _coded_room(home)
    if coded is not None and coded.give(lacking) and not (lacking := content.lacking_bytes(needed_bytes)):
        return
    upkeep = ContentUpkeep(home, load_settings(home), repository, database)
    idle = upkeep.look(now).plan(upkeep.rules(now, at_once=True), now).bytes
    free, needed, more = bytes_text(content.room()), bytes_text(needed_bytes), bytes_text(lacking)
    pieces = 0 if coded is None else sum(one.bytes for one in coded.removable())
    if idle + pieces >= lacking and not pieces:
        raise UserError(
            f"The disk of {home.content} has {free} free, and files of {needed} are to be published: {more} are "
            f"missing, with what must remain. Nobody needs {bytes_text(idle)} there: 'seed-server disk clean --all' "
            "removes that. Nothing was published.",
            FaultKind.STORAGE,
        )
    if idle + pieces >= lacking:
        raise UserError(
            f"The disk of {home.content} has {free} free, and files of {needed} are to be published: {more} are "
            f"missing, with what must remain. Nobody needs {bytes_text(idle)} there, and coded pieces take "
            f"{bytes_text(pieces)}: 'seed-server disk clean --all' removes both. Nothing was published.",
            FaultKind.STORAGE,
        )
    raise UserError(
        f"The disk of {home.content} has {free} free, and files of {needed} are to be published: {more} are missing, "
        f"with what must remain. Of the files there nobody needs {bytes_text(idle)} ('seed-server disk' says what each "
        "is kept for). Free some space or move the server's home. Nothing was published.",
        FaultKind.STORAGE,
    )


def _coded_room(home: ServerHome) -> CodedRoom | None:
    """Return the room of coded pieces; None: they lie on another disk than content, or none have been made."""
    try:
        same = home.coded.stat().st_dev == home.content.stat().st_dev
    except OSError:
        return None
    return CodedRoom(home.coded) if same else None
