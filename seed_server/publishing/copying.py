"""The files of a patch on their way into the content store: as they are, or unpacked. Blocking."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.publishing.examination import Examined
from seed_server.publishing.repack import plan_repack
from seed_server.publishing.stored_form import LeftAlone, RepackError, StoredForm
from seed_server.store.content_store import ContentStore, IncomingFile, SourceState, open_source

OnCopiedBytes: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in total, of all files together."""


@dataclass(frozen=True)
class Repacked:
    """What became of a file that should be published unpacked."""

    file_name: str
    packed_bytes: int
    """Its length as it was given."""
    stored_bytes: int
    """Its length as it is published."""
    left_alone: str
    """Why it is published as it is; empty: it is unpacked."""


@dataclass(frozen=True)
class UnpackedFile:
    """A file's stored form, whose errors are told to people."""

    source: Path
    form: StoredForm

    @property
    def length_bytes(self) -> int:
        """How long it is."""
        return self.form.length_bytes

    def parts(self, file: BinaryIO, /) -> Iterator[bytes]:
        """Yield all of it. Raises `UserError` (BAD_INPUT)."""
        with _told(self.source):
            yield from self.form.parts(file)


@dataclass(frozen=True)
class PlannedSource:
    """A file that is going to be copied."""

    source: Path
    seen: SourceState | None
    length_bytes: int
    """Of what is kept."""
    form: UnpackedFile | None
    """None: its own bytes."""
    repacked: Repacked | None
    """None: nobody asked for that."""


def unpacked_file(source: Path) -> UnpackedFile | LeftAlone:
    """Return the stored form of a file, or why it is published as it is. Raises `UserError` (BAD_INPUT)."""
    with open_source(source) as file, _told(source):
        plan = plan_repack(file)
    return plan if isinstance(plan, LeftAlone) else UnpackedFile(source, plan)


def planned_sources(examined: Examined) -> list[PlannedSource]:
    """Return how each file is going to be copied: what is unpacked is read once for that. Raises `UserError`."""
    publication = examined.publication
    recipe, found = publication.recipe, []
    for payload, source, seen in zip(recipe.payload, publication.sources(), examined.states, strict=True):
        with open_source(source) as file:
            length = file.seek(0, 2)
        plan = unpacked_file(source) if recipe.repack else None
        form = plan if isinstance(plan, UnpackedFile) else None
        kept = length if form is None else form.length_bytes
        reason = plan.reason if isinstance(plan, LeftAlone) else ""
        repacked = None if plan is None else Repacked(payload.file_name, length, kept, reason)
        found.append(PlannedSource(source, seen, kept, form, repacked))
    return found


@contextlib.contextmanager
def copied_sources(
    content: ContentStore, sources: Sequence[PlannedSource], on_bytes: OnCopiedBytes
) -> Iterator[list[IncomingFile]]:
    """Copy the files, and hold the copies; those that are not kept are removed again. Raises as `incoming`."""
    progress = FilesProgress(sum(one.length_bytes for one in sources), on_bytes)
    with contextlib.ExitStack() as stack:
        copies = []
        for one in sources:
            incoming = content.incoming(one.source, progress.of_file, seen=one.seen, form=one.form)
            copies.append(stack.enter_context(incoming))
            progress.next_file(copies[-1].length_bytes)
        yield copies


@dataclass
class FilesProgress:
    """The progress of one stage over several files."""

    total: int
    on_bytes: OnCopiedBytes
    before: int = 0

    def of_file(self, done: int, _total: int) -> None:
        """Tell of the file that is being worked on."""
        self.on_bytes(self.before + done, max(self.total, self.before + done))

    def next_file(self, length_bytes: int) -> None:
        """Go on to the next one; this one had so many bytes."""
        self.before += length_bytes


@contextlib.contextmanager
def _told(source: Path) -> Iterator[None]:
    try:
        yield
    except RepackError as error:
        raise UserError(
            f"{source} cannot be unpacked: {printable(str(error))}. Check that it is whole, or publish it without "
            "--repack.",
            FaultKind.BAD_INPUT,
        ) from error
    except OSError as error:
        raise UserError(
            f"Cannot read {source}: {error.strerror}. Check the disk that it lies on.", FaultKind.BAD_INPUT
        ) from error
