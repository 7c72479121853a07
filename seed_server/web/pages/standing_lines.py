"""PCs one by one, as they stand to one patch: the rows behind the numbers of patches and rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import state_word
from seed_server.fleet.coverage import Reached, shown
from seed_server.fleet.ring_counts import PcOutcome
from seed_server.store.count_rows import PcStanding

MOST_OUTPUT_CHARS = 600  # of what an installer wrote: fifty rows stay a light page, and the PC's own page has the rest
MOST_REASON_CHARS = 300
STANDING_TONES = {
    Reached.INSTALLED: "good", Reached.DELIVERED: "good", Reached.FAILED: "bad", Reached.NOT_APPLICABLE: "quiet",
}  # fmt: skip
OUTCOME_TONES = {
    PcOutcome.INSTALLED: "good", PcOutcome.FAILED: "bad", PcOutcome.ROLLED_BACK: "bad",
    PcOutcome.NOT_APPLICABLE: "quiet",
}  # fmt: skip


@dataclass(frozen=True)
class StandingLine:
    """One PC; texts are in the reader's language."""

    endpoint_id: str
    name: str
    site: str
    ring: str
    """Empty: it is in none, or that is not asked."""
    tone: str
    state: str
    share: float | None
    """Of its file that is there, while it fetches."""
    reasons: Sequence[str]
    output: str
    """What its installer wrote; may be empty."""
    said_at: float | None
    """When it said so; None: it has said nothing of the patch."""
    seen_at: float | None
    """When it was seen last; None: never."""
    connected: bool


def standing_line(pc: PcStanding, tone: str, *, ring: str = "", held: str = "") -> StandingLine:
    """Return what is shown of a PC; ``held``: what else there is to say of why it is not done."""
    state = tr("without a word yet") if pc.said is None else state_word(shown(*pc.said))
    reasons = [held] if held else []
    reasons += [in_words(printable(reason)) for reason in pc.reasons]
    return StandingLine(
        endpoint_id=pc.endpoint_id,
        name=pc.hostname or pc.endpoint_id,
        site=pc.site,
        ring=ring,
        tone=tone,
        state=state,
        share=pc.progress if pc.state == "fetching" else None,
        reasons=[shortened_to(reason, MOST_REASON_CHARS) for reason in reasons],
        output=shortened_to(pc.install_output, MOST_OUTPUT_CHARS),
        said_at=pc.reported_at or None,
        seen_at=pc.last_seen_at or None,
        connected=pc.connected,
    )


def shortened_to(text: str, most: int) -> str:
    """Return the beginning of a text, with a sign that there is more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
