"""The pages *server* and *disk*: the server itself, what it has signed, its backup, and what takes its room."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from p2pdist.shared.errors import UserError
from p2pdist.shared.language import tr
from seed_server.answers.disk import UsedRoomDocument
from seed_server.answers.disk_documents import disk_document
from seed_server.fleet.disk_usage import UsedRoom, read_disk, read_room
from seed_server.fleet.server_overview import RELEASE, read_server
from seed_server.ports.own_certificate import OwnCertificate
from seed_server.settings.server_toml import ServerSettings
from seed_server.web.api.given import Given, GivenNumber
from seed_server.web.api.paging import Limit
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import LIST_ROWS, Asked, Page, Shown


def room_rows(used: Iterable[UsedRoomDocument | UsedRoom]) -> list[tuple[str, int, int]]:
    """Return what takes room, in words, with the number of files and their bytes."""
    words = {
        "content": tr("files of patches"),
        "coded": tr("coded pieces: smaller updates"),
        "signed": tr("signed metadata"),
        "database": tr("database"),
        "archive": tr("archives of history"),
        "prepared": tr("bundles that wait for signatures"),
        "presented": tr("signed files that PCs have handed in"),
        "keys": tr("keys"),
        "leftovers": tr("temporary files"),
        "other": tr("all else"),
    }
    return [(words[one.kind], one.files, one.bytes) for one in used]


@dataclass(frozen=True)
class PageCertificate:
    """The certificate that browsers are shown, where the company has given one."""

    file: str
    expires_at: float | None
    """Seconds since 1970; None: it cannot be used."""
    problem: str = ""
    """Why not, a finished sentence."""

    @classmethod
    def of(cls, settings: ServerSettings) -> "PageCertificate | None":
        """Look at its files; None: the server signs one by itself, and renews it."""
        own = OwnCertificate.of_api(settings)
        if own is None:
            return None
        try:
            return cls(str(own.certificate), own.read().expires_at)
        except UserError as error:
            return cls(str(own.certificate), None, error.message)


def _server(asked: Asked[Nothing]) -> Shown:
    found = read_server(asked.context)
    room, free, size = read_room(asked.context)
    settings = found.settings
    values = {
        "one": found,
        "settings": settings,
        "release": RELEASE,
        "problems": found.problems,
        "repository_problem": found.head.repository_problem,
        "backup_old": found.backup is not None
        and bool(settings.backup_days)
        and asked.now - found.backup.backup_at > settings.backup_days * 86_400.0,
        "certificate": PageCertificate.of(settings),
        "room": room_rows(room),
        "free": free,
        "size": size,
    }
    return Shown(tr("Server"), values)


class OfFiles(Given, frozen=True):
    """Which files of patches, the largest first."""

    limit: Limit = LIST_ROWS
    after: Annotated[GivenNumber, Meta(description="Behind so many.")] = 0


def _disk(asked: Asked[OfFiles]) -> Shown:
    document, given = disk_document(read_disk(asked.context)), asked.given
    end = given.after + given.limit
    values = {
        "disk": document,
        "room": room_rows(document.used),
        "files": document.content[given.after : end],
        "next": end if end < len(document.content) else None,
    }
    return Shown(tr("Disk"), values)


SERVER_PAGES = (
    Page("/server", "server", _server, Nothing),
    Page("/server/disk", "disk", _disk, OfFiles),
)
