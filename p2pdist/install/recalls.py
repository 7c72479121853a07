"""What a recall means for installing: what is installed goes back by its recipe's way, once, and is not tried again."""

from collections.abc import Collection

from msgspec.structs import replace

from p2pdist.install.journal import JournalStore
from p2pdist.install.journal_notes import with_way_back
from p2pdist.install.lifecycle import UNDER_WAY, FailureClass, InstallRecord, Journal
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.recipe import DebInstall, RpmInstall
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.trust.catalogue import RecalledPatch

NO_WAY_BACK = "it was here already and was not installed by p2pdist, which knows no way back"


def may_go_back(journal: Journal) -> frozenset[PatchRef]:
    """Return the patches whose recipe is needed should they be recalled: installed, under way, or on their way back."""
    states = {"installed", "unproven", *UNDER_WAY}
    went_back = (FailureClass.RECALL,)
    return frozenset(r.ref for r in journal.records if r.state in states or r.failure in went_back)


async def note_recalls(store: JournalStore, recalled: Collection[RecalledPatch]) -> None:
    """Write into the journal what goes back; the loop then carries it out as what this PC's user asks for.

    Raises `OSError`.
    """
    for one in recalled:
        record, why = store.record(one.ref), f"recalled: {one.recall.reason}"
        if (
            record is None
            or record.state not in ("installed", "unproven")
            or (record.number and not one.recall.covers(record.number))
        ):
            continue
        if record.failure is FailureClass.RECALL:  # it is asked for, or there is no way back
            continue
        install = None if one.manifest is None else one.manifest.install

        def asked(
            current: InstallRecord, *, why: str = why, package: bool = isinstance(install, DebInstall | RpmInstall)
        ) -> InstallRecord:
            if current.own is None and package:
                current = with_way_back(current, store.journal)
            if current.own is None:
                why = f"{why}; {NO_WAY_BACK}"
            return replace(
                current, failure=FailureClass.RECALL, reason=why[:MAX_TEXT_CHARS], undo_asked=current.own is not None
            )

        await store.update(one.ref, asked, lambda after: after.reason)
