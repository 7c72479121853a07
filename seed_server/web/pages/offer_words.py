"""Words and tones of what PCs are offered, for the pages about patches and rollouts."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, urlencode

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import tr
from seed_server.fleet.rollout import RolloutState
from seed_server.reporting.patch_list import OfferedState
from seed_server.settings.priority_section import PriorityClass
from seed_server.signing.offers import Offer

STATE_TONES: Mapping[RolloutState, str] = MappingProxyType(
    {
        RolloutState.RUNNING: "good",
        RolloutState.UNAPPROVED: "open",
        RolloutState.HELD: "open",
        RolloutState.PAUSED: "open",
        RolloutState.HALTED: "bad",
        RolloutState.COMPLETE: "good",
        RolloutState.ABORTED: "quiet",
    }
)
"""How a rollout's state is coloured."""
OFFER_TONES: Mapping[OfferedState, str] = MappingProxyType(
    {"rollout": "open", "waiting": "open", "offered": "good", "withdrawn": "bad", "superseded": "quiet"}
)
PRIORITY_TONES: Mapping[PriorityClass, str] = MappingProxyType(
    {"immediate": "bad", "out-of-cycle": "open", "scheduled": "quiet", "defer": "quiet"}
)


def offer_words() -> Mapping[OfferedState, str]:
    """Return what people call how a patch is offered."""
    return {
        "rollout": tr("on its way, ring by ring"),
        "waiting": tr("offered to nobody yet"),
        "offered": tr("offered to every PC"),
        "withdrawn": tr("withdrawn"),
        "superseded": tr("replaced"),
    }


def offered_since(offer: Offer) -> float | None:
    """Return since when a patch that no rollout brings is offered so; None: something newer is in its place."""
    if offer.withdrawal is not None:
        return float(offer.withdrawal.at)
    return None if offer.superseded_by is not None else float(offer.manifest.published_at)


def patch_path(ref: PatchRef | str) -> str:
    """Return the address of a patch's page."""
    return f"/patches/{quote(str(ref), safe='@')}"


def rows_path(ref: PatchRef | str, **asked: str) -> str:
    """Return the address of the PCs that stand so to a patch, one by one, each with its reason."""
    return f"{patch_path(ref)}?{urlencode({'part': 'pcs', **{name: one for name, one in asked.items() if one}})}"


def missing_path(ref: PatchRef | str, **asked: str) -> str:
    """Return the address of the PCs that lack a patch."""
    return f"/missing?{urlencode({'patch': str(ref), **{name: one for name, one in asked.items() if one}})}"
