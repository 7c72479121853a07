"""What a withdrawal means for installing: what has begun comes to its end, the journal says so, nothing else begins."""

from collections.abc import Collection

from p2pdist.install.journal import JournalStore
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.trust.catalogue import Catalogue

FIRST_LOOK_SECONDS = 120.0  # for the network to come up, and for the server's news over a slow line
NOT_CONFIRMED = "Nothing is begun yet: the server is asked first whether all is still offered."
EXPIRED = (
    "Nothing is begun: what the server last said has expired, and a patch may have been withdrawn since. "
    "Check that the seed server is reachable and this PC's clock is right."
)


def holds_back(catalogue: Catalogue | None, now: float, *, clock_believed: bool, running_seconds: float) -> str:
    """Return why no installation may be begun by ``catalogue`` now, in words; empty: it may.

    A PC that was off for long must not begin what was withdrawn meanwhile. ``now``, in seconds since 1970: by the
    clock, and not before what has certainly passed. ``running_seconds``: since the start.
    """
    if catalogue is None:
        return NOT_CONFIRMED
    if now >= catalogue.expires_at:
        return EXPIRED
    # by a clock that is behind, nothing ever expires: then only the server knows
    lasts = clock_believed and running_seconds >= FIRST_LOOK_SECONDS
    return "" if catalogue.confirmed or lasts else NOT_CONFIRMED


async def note_withdrawals(store: JournalStore, withdrawn: Collection[Withdrawal]) -> None:
    """Write into the journal which patches are ``withdrawn`` with which something has happened here.

    Each once, and once more after `MAX_HISTORY` other steps: the line has left the history by then. Raises `OSError`.
    """
    if not withdrawn:
        return
    known = {record.ref: record for record in store.journal.records if not record.untouched}
    said = {(PatchRef(entry.patch_id, entry.version), entry.what) for entry in store.journal.history}
    for one in withdrawn:
        what = f"withdrawn: {one.reason}"
        if one.ref in known and (one.ref, what) not in said:
            await store.update(one.ref, lambda same: same, what)
