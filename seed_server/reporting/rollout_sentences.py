"""What is said of rollouts, the same on a terminal and on a page, in the language of the screens. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from seed_server.fleet.rollout import RolloutWhy
from seed_server.fleet.rollout_words import moment, why_sentence
from seed_server.fleet.way_back import GoneBack
from seed_server.store.rollout_records import RolloutFault

if TYPE_CHECKING:  # `status` says how far PCs are, and needs no operations
    from seed_server.fleet.rollout_operations import StartedRollout


def why_shown(why: RolloutWhy, fault: RolloutFault | None) -> str:
    """Return why a rollout stands where it does, and first what is broken."""
    sentence = in_words(printable(why_sentence(why)))
    if fault is None:
        return sentence
    broken = tr(
        "The server does not carry it on since {since}: {words}", since=moment(fault.since), words=fault.words
    )  # fmt: skip
    return f"{broken} {sentence}"


def way_back_words(back: GoneBack | None) -> str:
    """Return how far PCs are that go back from a publication; empty: none does."""
    if back is None:
        return ""
    parts = [
        tr("{number} PCs went back", number=back.went_back),
        tr("{number} have still to", number=back.going_back),
        *([tr("{number} are off and had it", number=back.away)] if back.away else []),
        *(
            tr("{number} cannot: {why}", number=number, why=in_words(printable(why)))
            for why, number in back.cannot.items()
        ),
    ]
    return tr(", ").join(parts)


def started_sentences(started: "StartedRollout") -> Iterator[str]:
    """Yield which rollout has begun, how many PCs its rings have, and who has to approve it."""
    plan = started.rollout.plan
    yield tr("Rollout {number} of {ref} has begun.", number=started.rollout.row.number, ref=plan.ref)
    for ring, size in zip(plan.rings, started.ring_sizes, strict=True):
        pcs = tr("{number} PC", number=size) if size == 1 else tr("{number} PCs", number=size)
        yield f"  {ring.name}: {pcs}"
    yield from _approval_sentences(started)
    if started.ring_sizes[0] == 0:
        yield tr("Its first ring has no PC: it only soaks. Give PCs its tag, or choose another template.")


def _approval_sentences(started: "StartedRollout") -> Iterator[str]:
    """Yield by which command others approve a new rollout, where anybody has to."""
    row = started.rollout.row
    if started.first_approved_ring is None:
        return
    ring = started.rollout.plan.rings[started.first_approved_ring].name
    command = f"seed-server rollout approve {row.number}" + (" --key FILE" if started.by_signature else "")
    yield tr(
        "Before ring {ring} opens, somebody else has to approve it ({number} in all): {command}",
        ring=ring, number=row.required, command=command,
    )  # fmt: skip
