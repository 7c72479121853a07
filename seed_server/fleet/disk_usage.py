"""What takes room on the server's disk, and what for. Blocking; changes nothing."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.publishing.content_needs import UseOfContent
from seed_server.publishing.content_plan import Because, ContentPlan, ContentRules
from seed_server.publishing.content_upkeep import ContentUpkeep, signed_uses
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore
from seed_server.store.home_leftovers import leftovers_of

UsageKind: TypeAlias = Literal[
    "content", "coded", "signed", "database", "archive", "prepared", "presented", "keys", "leftovers", "other"
]
"""Signed: ``tuf/``. Leftovers: temporary files, of which one may be written at this moment."""


@dataclass(frozen=True)
class UsedRoom:
    """What one kind of files takes."""

    kind: UsageKind
    files: int
    bytes: int


@dataclass(frozen=True)
class ContentFile:
    """A payload, what it is for, and whether it goes."""

    sha256: str
    bytes: int
    uses: tuple[UseOfContent, ...]
    needed: bool
    """Whether somebody needs it, or that is not known."""
    idle_since: float | None
    """From when on nobody needs it; None: somebody does, or that is not recorded yet."""
    goes: Because | None
    """Why it goes at the next look; None: it stays."""


@dataclass(frozen=True)
class DiskUsage:
    """One look at the disk."""

    used: tuple[UsedRoom, ...]
    """The largest first; kinds of which there is nothing are left out."""
    free_bytes: int
    disk_bytes: int
    """Of the file system that the home is on."""
    content_free_bytes: int | None
    """Free on the file system of ``content/``, where that is another one."""
    payloads: tuple[ContentFile, ...]
    """The largest first."""
    plan: ContentPlan
    """What goes by itself."""
    idle_bytes: int
    """What all takes that nobody needs: so much can go at once."""
    rules: ContentRules
    unknown: str = ""
    """Why it cannot be told what rollouts and PCs need, in a sentence: then any file may be needed; empty: it can."""


def read_disk(context: Context) -> DiskUsage:
    """Return what takes room. Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE, BUSY.

    Where the database cannot be read, as on a disk without any room, the rest is told all the same.
    """
    settings, now = context.settings(), context.clock.now()
    with _in_words(context.home):
        disk, used = shutil.disk_usage(context.home.root), used_room(context.home)
        content_free = _content_free(context.home)
    repository, unknown = context.repository(), ""
    try:
        with context.database() as database:
            upkeep = ContentUpkeep(context.home, settings, repository, database)
            look, rules = upkeep.look(now), upkeep.rules(now)
            everything = look.plan(upkeep.rules(now, at_once=True), now).bytes
        stored, uses, since, plan = look.stored, look.uses, look.since, look.plan(rules, now)
    except UserError as error:
        if error.kind is not FaultKind.STORAGE:
            raise
        unknown, everything, since = error.message, 0, {}
        stored = tuple(ContentStore(context.home.content).stored())
        uses, rules = signed_uses(context.home, repository), ContentRules.of(settings.retention, held=False)
        plan = ContentPlan((), sum(one.bytes for one in stored), over_bytes=0, idle_bytes=0)
    goes = {one.payload.sha256: one.because for one in plan.removals}
    payloads = [
        ContentFile(
            one.sha256,
            one.bytes,
            found := tuple(uses.get(one.sha256, ())),
            bool(unknown) or any(use.needed for use in found),
            None if any(use.needed for use in found) else since.get(one.sha256),
            goes.get(one.sha256),
        )
        for one in sorted(stored, key=lambda one: (-one.bytes, one.sha256))
    ]
    return DiskUsage(used, disk.free, disk.total, content_free, tuple(payloads), plan, everything, rules, unknown)


def read_room(context: Context) -> tuple[tuple[UsedRoom, ...], int, int]:
    """Return what each kind of files takes, what is free on the disk of the home, and how large that is, in bytes.

    Without a look at what the files are for, which `read_disk` has. Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE.
    """
    context.settings()
    with _in_words(context.home):
        disk = shutil.disk_usage(context.home.root)
        return used_room(context.home), disk.free, disk.total


def _content_free(home: ServerHome) -> int | None:
    apart = home.content.stat().st_dev != home.root.stat().st_dev
    return shutil.disk_usage(home.content).free if apart else None


@contextlib.contextmanager
def _in_words(home: ServerHome) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"The home {home.root} cannot be looked at ({error.strerror}): run this as the server's user.",
            FaultKind.STORAGE,
        ) from error


def used_room(home: ServerHome) -> tuple[UsedRoom, ...]:
    """Return what each kind of files takes, the largest first. Raises `OSError`."""
    files: dict[UsageKind, int] = {}
    sizes: dict[UsageKind, int] = {}
    leftovers = leftovers_of(home)
    for folder, found in _folders(home):
        kind = "leftovers" if folder in leftovers else _kind(home, folder)
        for name, size in found.items():
            of = "leftovers" if leftovers and folder / name in leftovers else kind or _kind_in_home(home, folder, name)
            files[of] = files.get(of, 0) + 1
            sizes[of] = sizes.get(of, 0) + size
    return tuple(
        sorted((UsedRoom(kind, files[kind], size) for kind, size in sizes.items()), key=lambda one: -one.bytes)
    )


def _folders(home: ServerHome) -> Iterator[tuple[Path, dict[str, int]]]:
    """Yield each folder with the sizes of its files, also those of a ``content/`` that is a link to a larger disk."""
    roots = [home.root, home.content] if home.content.is_symlink() else [home.root]
    for folder, _, names in itertools.chain.from_iterable(map(os.walk, roots)):
        path, sizes = Path(folder), dict[str, int]()
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                sizes[name] = (path / name).lstat().st_size
        yield path, sizes


def _kind(home: ServerHome, folder: Path) -> UsageKind | None:
    """Return what the files of ``folder`` are; None: each says it by its name."""
    kinds: dict[Path, UsageKind] = {
        home.content: "content",
        home.coded: "coded",
        home.tuf_metadata.parent: "signed",
        home.archive: "archive",
        home.prepared: "prepared",
        home.presented: "presented",
        home.keys: "keys",
    }
    return next((kind for within, kind in kinds.items() if folder.is_relative_to(within)), None)


def _kind_in_home(home: ServerHome, folder: Path, name: str) -> UsageKind:
    old_state = folder == home.root and name.startswith(f"{home.database.stem}-before-")
    return "database" if old_state or name.startswith(home.database.name) else "other"
