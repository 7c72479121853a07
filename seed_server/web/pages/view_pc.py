"""The page *PC*: who it is, why each patch is not there, what it did, what it has, and what it has signed. Blocking."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.manifest.facts import FACTS
from p2pdist.shared.manifest.inventory import PackageName
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import state_word
from seed_server.fleet.coverage import Reached
from seed_server.fleet.custody_queries import custody_of
from seed_server.fleet.endpoint_card import FINISHED, EndpointCard, read_endpoint
from seed_server.fleet.endpoint_steps import read_steps
from seed_server.fleet.inventory_queries import DEFAULT_MAX_DAYS
from seed_server.fleet.known_inventories import Lately
from seed_server.fleet.operation import require
from seed_server.fleet.permissions import may
from seed_server.fleet.roles import WHOLE_FLEET, Area, Permission
from seed_server.fleet.standing import PatchOnPc
from seed_server.reporting.missing_pcs import SILENT_DAYS
from seed_server.reporting.missing_queries import MissingPc
from seed_server.reporting.missing_search import lacked_by
from seed_server.reporting.pc_words import (
    SHARED_HINT,
    Tone,
    fact_words,
    finding_words,
    inventory_words,
    pc_doubts,
    pc_state,
)
from seed_server.reporting.words import follow_up_words, said_words
from seed_server.web.api.given import MaybeName, OfEndpoint, OfPatch
from seed_server.web.api.paging import After
from seed_server.web.frame.page import LIST_ROWS, Asked, Shown
from seed_server.web.pages.given_days import Day, midnight
from seed_server.web.pages.view_missing import DONE_STATE, follow_up_choices

PcPart = Literal["now", "patches", "history", "inventory", "custody"]
MOST_LACKED = 30  # on the first part; the second one has all, in pages
MOST_PACKAGES = 100  # at once: nobody reads thousands, and a search finds the one that is meant
MOST_RECORDS = 50  # of custody, the newest
REACHED_TONES: dict[Reached, Tone] = {
    Reached.INSTALLED: "good", Reached.DELIVERED: "good", Reached.UNDER_WAY: "open", Reached.FAILED: "bad",
    Reached.AWAY: "quiet", Reached.SILENT: "quiet", Reached.NOT_APPLICABLE: "quiet",
}  # fmt: skip


class OnePc(OfEndpoint, frozen=True):
    """A PC, and which part of what is known of it."""

    show: PcPart = "now"
    patch: OfPatch = ""
    """Of the history."""
    until: Day = ""
    """Of the history: the last day."""
    package: MaybeName = ""
    """Of the inventory: what its name has in it."""
    after: After = ""


@dataclass(frozen=True)
class PcPatchLine:
    """How a patch is on the PC."""

    ref: str
    title: str
    tone: Tone
    state: str
    progress: float | None
    """From 0 to 1; None: it is not on its way."""
    because: str
    """In the PC's words; empty: it gives no reason."""
    output: str
    reported_at: float | None
    from_server: int
    from_neighbours: int
    built: int
    """Of what it had, and by compression."""


@dataclass(frozen=True)
class LackLine:
    """A patch that it lacks, and why."""

    patch: PcPatchLine
    reason: str
    said: str
    since: float
    proposal: str
    follow_up: str
    by: str


@dataclass(frozen=True)
class FindingLine:
    """What it says is wrong with it."""

    code: str
    said: str
    proposal: str


def show_pc(asked: Asked[OnePc]) -> Shown:
    """Show what is known of a PC."""
    given, context = asked.given, asked.context
    card = read_endpoint(context, given.endpoint, with_packages=given.show == "inventory")
    pc = card.endpoint
    values: dict[str, Any] = {
        "pc": pc,
        "id": pc.endpoint_id,
        "here_path": f"/pcs/{quote(pc.endpoint_id, safe='')}",
        "given": given,
        "card": card,
        "state": pc_state(pc, asked.now, connected=card.connected),
        "doubts": pc_doubts(pc, card.namesakes),
        "shared_hint": in_words(SHARED_HINT) if pc.shared_with else "",
        "parts_of": _parts(asked, pc.endpoint_id),
        "follow_ups": [*follow_up_choices(), (DONE_STATE, tr("nothing any more"))],
        "mine": {right: _may(asked, card, right) for right in ("endpoints", "deny")},
        "gone": not card.connected and not (pc.denied and not pc.pending),
    }
    if given.show == "now":
        values |= _now(asked, card)
    elif given.show == "patches":
        values |= _patches(asked, card)
    elif given.show == "history":
        values |= _history(asked, card)
    elif given.show == "inventory":
        values |= _inventory(asked, card)
    else:
        require(context, asked.actor, "audit", WHOLE_FLEET)
        values |= _custody(asked, card)
    return Shown(printable(pc.hostname or pc.endpoint_id), values)


def _may(asked: Asked[OnePc], card: EndpointCard, right: Permission) -> bool:
    pc = card.endpoint
    return may(asked.actor, right, (Area(pc.site, frozenset(pc.tags)),)) is None


def _parts(asked: Asked[OnePc], endpoint_id: str) -> list[tuple[str, str, bool]]:
    words = {
        "now": tr("Overview"), "patches": tr("Patches"), "history": tr("History"), "inventory": tr("Inventory"),
    }  # fmt: skip
    if may(asked.actor, "audit", WHOLE_FLEET) is None:
        words["custody"] = tr("What it has signed")
    here = f"/pcs/{quote(endpoint_id, safe='')}"
    return [
        (said, here if part == "now" else f"{here}?show={part}", part == asked.given.show)
        for part, said in words.items()
    ]


# --- now ---------------------------------------------------------------------------------


def _now(asked: Asked[OnePc], card: EndpointCard) -> dict[str, Any]:
    on_pc = {row.patch.number: row for row in card.patches}
    pc = card.endpoint
    lacked = () if pc.denied else lacked_by(asked.context, pc.endpoint_id, silent_days=SILENT_DAYS).rows
    lines = list(_lacks(lacked, on_pc))
    return {
        "system": _system(card),
        "lacks": lines[:MOST_LACKED],
        "lacking": len(lines),
        "patch_choices": [("", tr("all that it lacks")), *((line.patch.ref, line.patch.ref) for line in lines)],
        "done": sum(row.reached in FINISHED for row in card.patches),
        "findings": [FindingLine(code, *finding_words(code)) for code in card.known.findings],
        "steps": card.steps,
        "step_state": _step_state,
    }


def _lacks(rows: Iterable[MissingPc], on_pc: dict[int, PatchOnPc]) -> Iterator[LackLine]:
    for row in rows:
        known = on_pc.get(row.patch.number)
        if known is not None:
            yield LackLine(
                patch_line(known),
                tr(row.reason.value),
                said_words(row),
                row.since,
                tr(row.proposal.value),
                follow_up_words(row),
                row.pc.set_by,
            )


def patch_line(row: PatchOnPc) -> PcPatchLine:
    """Return how a patch is on a PC, for people."""
    pc = row.pc
    shown = row.reached if pc.said else Reached.SILENT
    under_way = shown in (Reached.UNDER_WAY, Reached.AWAY) and pc.state in ("fetching", "verifying", "checking")
    return PcPatchLine(
        str(row.patch.ref),
        row.patch.title,
        REACHED_TONES[shown],
        state_word(pc.install if pc.state == "verified" and pc.install else pc.state) if pc.said else tr("not told"),
        pc.progress if under_way else None,
        in_words(printable(pc.install_reason if pc.install else pc.error)),
        pc.install_output,
        pc.reported_at or None,
        pc.bytes_from_origin,
        pc.bytes_from_peers,
        pc.bytes_built,
    )


def _system(card: EndpointCard) -> str:
    facts = card.known.facts or {}
    words = [str(facts[name]) for name in ("os.id", "os.release", "os.build", "arch", "os.language") if name in facts]
    if "ram_mb" in facts:
        words.append(tr("{number} MB of memory", number=facts["ram_mb"]))
    return printable(", ".join(words))


# --- patches, history --------------------------------------------------------------------


def _patches(asked: Asked[OnePc], card: EndpointCard) -> dict[str, Any]:
    after = asked.given.after
    begin = int(after) if after.isdecimal() and len(after) <= 4 else 0
    rows = card.patches[begin : begin + LIST_ROWS]
    following = str(begin + LIST_ROWS) if begin + LIST_ROWS < len(card.patches) else ""
    return {"rows": [patch_line(row) for row in rows], "next": following, "total": card.total}


def _history(asked: Asked[OnePc], card: EndpointCard) -> dict[str, Any]:
    given = asked.given
    before = midnight(given.until, later=1) if given.until else None
    page = read_steps(
        asked.context, card.endpoint.endpoint_id, patch=given.patch, before=before, size=LIST_ROWS, after=given.after
    )  # fmt: skip
    return {"steps": page.rows, "next": page.after, "step_state": _step_state}


def _step_state(state: str, install: str) -> tuple[Tone, str]:
    """Return the sign and the words of a step."""
    name = install or state
    tones: dict[str, Tone] = {
        "installed": "good", "verified": "good", "failed": "bad", "rolled_back": "bad", "not_applicable": "quiet",
    }  # fmt: skip
    return tones.get(name, "open"), state_word(name)


# --- inventory, custody ------------------------------------------------------------------


def _inventory(asked: Asked[OnePc], card: EndpointCard) -> dict[str, Any]:
    sought = asked.given.package.strip().casefold()
    packages: Sequence[tuple[PackageName, str]] = card.packages or ()
    found = [(name, version, of.value) for (of, name), version in packages if sought in name.casefold()]
    head = card.inventory
    facts = {} if head is None else head.facts
    return {
        "told": inventory_words(card.inventory, asked=card.asked),
        "old": head is not None and not Lately.within(DEFAULT_MAX_DAYS, asked.now).holds(head.told_at),
        "facts": [(name, fact_words(facts[name])) for name in sorted(FACTS.keys() & facts.keys())],
        "packages": found[:MOST_PACKAGES],
        "found": len(found),
    }


def _custody(asked: Asked[OnePc], card: EndpointCard) -> dict[str, Any]:
    view = custody_of(asked.context, card.endpoint.endpoint_id, asked.given.patch)
    return {
        "logs": view.logs,
        "records": view.records[::-1][:MOST_RECORDS],
        "kept": len(view.records),
        "held_back": view.held_back,
        "step_state": _step_state,
    }
