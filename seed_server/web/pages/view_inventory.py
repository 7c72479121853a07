"""The page *inventory*: which PCs are or have what, and of which that is not known. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.manifest.expression import ExpressionError
from seed_server.fleet.inventory_queries import (
    DEFAULT_MAX_DAYS,
    InventoryAnswer,
    InventoryQuestion,
    ask_inventory,
    pcs_behind,
)
from seed_server.web.api.given import MAX_DAYS, AtSite, ExpressionText, Given, MaybeName
from seed_server.web.api.paging import After
from seed_server.web.frame.addresses import address_of
from seed_server.web.frame.page import LIST_ROWS, Asked, Shown
from seed_server.web.pages.view_pcs import ListRows

if TYPE_CHECKING:
    from seed_server.store.inventory_sets import InventoriedPc

PAGE_ANSWER_SECONDS = 10.0  # somebody waits for the page
MAX_COLUMNS_CHARS = 400
MOST_VERSIONS = 100  # of a package; the highest ones
INVENTORY_EXAMPLES = (
    'package("openssl") < version("3.0.17")',
    'os.family == "windows" and ram_mb < 8000',
    'installed("sqlite3") and not "kiosk" in tags',
)


class InventoryAsked(Given, frozen=True):
    """What is asked of inventories."""

    expression: ExpressionText = ""
    package: MaybeName = ""
    site: AtSite = ""
    columns: Annotated[str, Meta(max_length=MAX_COLUMNS_CHARS)] = ""
    """Facts and packages, with commas between them."""
    unknown: bool = False
    max_age_days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] = DEFAULT_MAX_DAYS
    limit: ListRows = LIST_ROWS
    after: After = ""

    @property
    def narrow(self) -> bool:
        """Whether any of the filters is used that few look for."""
        return bool(self.site or self.columns or self.unknown or self.max_age_days != DEFAULT_MAX_DAYS)

    @property
    def asks_which(self) -> bool:
        """Whether an expression tells PCs apart."""
        return bool(self.expression.strip())

    @property
    def asks(self) -> bool:
        """Whether anything is asked."""
        return bool(self.expression.strip() or self.package.strip() or self.site or self.columns.strip())

    def question(self) -> InventoryQuestion:
        """Return what they ask."""
        columns, package = tuple(filter(None, map(str.strip, self.columns.split(",")))), self.package.strip()
        if package and not columns and not self.asks_which:
            columns = (f'package("{package}")',)
        return InventoryQuestion(
            self.expression.strip() or "true", self.site, columns or None, package, self.max_age_days,
            PAGE_ANSWER_SECONDS,
        )  # fmt: skip

    def behind(self, term: str, *, unknown: str = "") -> str:
        """Return the address of those PCs of this answer of which ``term`` is true too; or unknown."""
        expression = f"({self.expression.strip()}) and {term}" if self.asks_which else term
        kept = "" if self.max_age_days == DEFAULT_MAX_DAYS else self.max_age_days
        return address_of("/inventory", expression=expression, site=self.site, max_age_days=kept, unknown=unknown)


@dataclass(frozen=True)
class InventoryLine:
    """A row."""

    endpoint_id: str
    hostname: str
    site: str
    told_at: float | None
    values: Sequence[str | None]
    why: str
    """Why it is not known of it; empty: it is true of it."""


def show_inventory(asked: Asked[InventoryAsked]) -> Shown:
    """Show the answer to a question; what cannot be asked is said above it, with its column where there is one."""
    given = asked.given
    values: dict[str, Any] = {
        "given": given, "behind": given.behind, "wrong": "", "column": None, "found": None, "rows": (), "next": "",
        "headings": (), "package": None, "versions": (), "examples": INVENTORY_EXAMPLES,
    }  # fmt: skip
    if given.asks:
        try:
            values |= _answer(asked)
        except UserError as error:
            if error.kind not in {FaultKind.BAD_INPUT, FaultKind.FAILED}:
                raise
            values["wrong"] = in_words(error.message)
            if isinstance(error.__cause__, ExpressionError):
                values["column"] = error.__cause__.column
    return Shown(tr("Inventory"), values)


def _answer(asked: Asked[InventoryAsked]) -> dict[str, Any]:
    given = asked.given
    found = ask_inventory(asked.context, given.question())
    pcs = pcs_behind(found.unknown if given.unknown else found.true, given.after)
    shown = pcs[: given.limit]
    return {
        "found": found,
        "trues": len(found.true),
        "unknowns": len(found.unknown),
        "withheld": len(found.withheld),
        "headings": list(found.values),
        "rows": [_line(found, pc, of_unknown=given.unknown) for pc in shown],
        "next": str(shown[-1].number) if len(pcs) > len(shown) else "",
        "package": found.package,
        "versions": () if found.package is None else found.package.versions[:MOST_VERSIONS],
    }


def _line(found: InventoryAnswer, pc: "InventoriedPc", *, of_unknown: bool) -> InventoryLine:
    why = {
        "never": tr("told nothing"), "outdated": tr("too long ago"), "withheld": tr("withheld by its administrator"),
        "incomplete": tr("could not read all of it"),
    }  # fmt: skip
    return InventoryLine(
        pc.endpoint_id,
        pc.hostname,
        pc.site,
        pc.told_at,
        [of.get(pc.number) for of in found.values.values()],
        why[found.why_unknown(pc)] if of_unknown else "",
    )
