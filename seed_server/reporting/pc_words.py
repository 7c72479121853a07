"""What people read of a PC: how it is, what is odd about it, and what it says is wrong with it. Pure.

In the language of the screens, the same on a terminal and on a page.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from p2pdist.shared.language import in_words, span, tr, trn
from p2pdist.shared.manifest.inventory import InventoryFact, PackagesTold, packages_told
from p2pdist.shared.printable_text import printable
from seed_server.store.rows import EndpointRow, Namesake

if TYPE_CHECKING:
    from seed_server.store.inventory import InventoryHead

SHARED_HINT = (
    "Where several PCs show one identity, a disk was copied after it was enrolled, or a key was stolen. One of them at "
    "a time is served. On each of them but one, stop the daemon and run, with a new token: "
    "p2pdist enrol --force --new-key. If none of them is a copy, deny the endpoint (seed-server deny) and enrol the PC "
    "anew."
)
CLAIM_HINT = (
    "The server goes by the address that it sees, not by what a PC claims. Where a site's PCs are seen through address "
    'translation, give that site the translated address in sites.toml: nat = ["ADDRESS"].'
)

Tone: TypeAlias = Literal["good", "bad", "open", "quiet"]
"""As pages sign it: all is well, somebody has to look, it is under way or waits, nobody is concerned."""


class PcCondition(NamedTuple):
    """How a PC is."""

    tone: Tone
    words: str


def pc_state(row: EndpointRow, now: float, *, connected: bool) -> PcCondition:
    """Return how a PC is now; ``connected``: whether it is, as far as the server knows."""
    if row.pending:
        return PcCondition("open", tr("waits to be allowed"))
    if row.denied:
        return PcCondition("bad", tr("denied"))
    if connected:
        return PcCondition("good", tr("connected"))
    if not row.last_seen_at:
        return PcCondition("quiet", tr("never seen"))
    return PcCondition("quiet", tr("seen {duration} ago", duration=span(max(0.0, now - row.last_seen_at))))


def pc_doubts(row: EndpointRow, namesakes: Sequence[Namesake]) -> str:
    """Return what a person should know of a PC; empty: nothing."""
    claim = tr("claims {site}", site=row.claimed_site) if row.claimed_site else ""
    return tr("; ").join(filter(None, (claim, _doubt(row, namesakes))))


def _doubt(row: EndpointRow, namesakes: Sequence[Namesake]) -> str:
    """Return what is odd about a PC; empty: nothing."""
    if row.shared_with:
        return tr("its identity is shown by {others} too", others=in_words(row.shared_with))
    if denied := [one.endpoint_id for one in namesakes if one.denied and not one.pending]:
        return tr("has the name of {endpoint}, which is denied", endpoint=denied[0])
    if row.refuses:
        return tr("refuses what is signed here: {reason}", reason=in_words(printable(row.refuses)))
    if not namesakes:
        return ""
    return trn("has the name of {number} other PC", "has the name of {number} other PCs", len(namesakes))


class FindingWords(NamedTuple):
    """What a PC says is wrong with it."""

    said: str
    proposal: str
    """What could be done."""


def finding_words(code: str) -> FindingWords:
    """Return what a code of `wire.pc_findings` says; one that is not known, of a newer PC, says itself."""
    known = _findings().get(code)
    return FindingWords(*known) if known else FindingWords(code, tr("Run 'p2pdist doctor' on that PC: it says more."))


def _findings() -> dict[str, tuple[str, str]]:
    service = tr("Look at the service and its log on that PC; 'p2pdist doctor' says more.")
    network = tr("Let 'p2pdist doctor' look there: it says what the network team has to open.")
    return {
        "network_part": (tr("The part of it that speaks with the network does not run as it should."), service),
        "clock": (
            tr("Its clock is wrong, so no maintenance window opens."),
            tr("Set its clock, and look at its time service."),
        ),
        "identity": (
            tr("Several PCs show its identity."), tr("Enrol each copy anew: 'p2pdist enrol --force --new-key'.")
        ),
        "packets": (tr("Full packets do not get through to it."), network),
        "certificates": (
            tr("Its certificates cannot be renewed."),
            tr("Look whether it reaches the web port; if they have expired, enrol it again."),
        ),
        "trust": (
            tr("It does not accept what is signed here."),
            tr("Compare with other PCs: if all say so, look at 'seed-server doctor'."),
        ),
        "stale": (tr("It gets no fresh signatures."), tr("Look whether it reaches the web port.")),
        "audit_log": (
            tr("It has seen another audit log before."), tr("'seed-server audit alarms' says what does not fit.")
        ),
        "memory": (tr("It has too little memory to share patches well."), service),
        "mdns": (tr("It does not hear its neighbours' announcements."), network),
        "limiter": (tr("It cannot limit its traffic as its profile says."), service),
        "patch_refused": (
            tr("It cannot take a patch as it was published."), tr("Its patches say which and why; publish that again.")
        ),
        "install": (tr("Its installing part has a problem."), service),
        "users": (tr("Its users cannot be told of what comes."), service),
        "unheard": (tr("The server names neighbours, and it hears none of them."), network),
        "cut_off": (tr("It hears neighbours, and none of them answers."), network),
        "lan_incoming": (tr("It reaches neighbours, and none has ever reached it."), network),
        "vpn": (
            tr("It is connected by a VPN."), tr("Nothing, if that is meant: it fetches from here, not from neighbours.")
        ),
        "disk": (tr("Its disk is full."), tr("Make room on its disk.")),
    }  # fmt: skip


def inventory_words(head: "InventoryHead | None", *, asked: bool) -> str:
    """Return what a PC tells of itself; ``asked``: whether the server asks PCs at all."""
    if head is None:
        unasked = tr("PCs are not asked (inventory_minutes = 0 in server.toml)")
        return tr("it has told nothing yet") if asked else unasked
    packages = trn("{number} package", "{number} packages", head.packages)
    return {
        PackagesTold.ALL: packages,
        PackagesTold.SOME: tr("{packages}, and others that could not be read", packages=packages)
        if head.packages
        else tr("packages could not be read"),
        PackagesTold.WITHHELD: tr("packages withheld by its administrator"),
        None: tr("{packages}; it does not say whether these are all", packages=packages),
    }[packages_told(head.facts)]


def fact_words(value: InventoryFact) -> str:
    """Return a fact as a PC has told it, which is hostile text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)
