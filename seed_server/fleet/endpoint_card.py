"""One PC: who it is, how its patches stand, what is wrong with it, what it did last, and who is beside it. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.manifest.inventory import NOTHING, PackageName
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.endpoint_pages import Namesakes
from seed_server.fleet.names import endpoint_in
from seed_server.fleet.overview import patches_head
from seed_server.fleet.standing import PatchOnPc, StatusQuestion, standing_page
from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.event_rows import HistoryRow
from seed_server.store.rows import EndpointRow, LeftOut, Namesake

if TYPE_CHECKING:
    from seed_server.store.endpoint_cards import EndpointCardRow
    from seed_server.store.inventory import InventoryHead

SHOWN_STEPS = 10  # of what it did
_ORDER = (Reached.FAILED, Reached.UNDER_WAY, Reached.AWAY, Reached.SILENT)
FINISHED = frozenset({Reached.INSTALLED, Reached.DELIVERED, Reached.NOT_APPLICABLE})


@dataclass(frozen=True)
class EndpointCard:
    """What is known of one PC."""

    server_name: str
    serving: bool
    """Whether the server serves: else nobody is connected."""
    known: "EndpointCardRow"
    namesakes: Sequence[Namesake]
    patches: Sequence[PatchOnPc]
    """Those that need a person first, then those that are not done, then the rest; the newest first among them."""
    total: int
    """How many patches there are."""
    inventory: "InventoryHead | None"
    """What it has told that it is and has; None: nothing yet."""
    packages: Sequence[tuple[PackageName, str]] | None
    """Those that it has told, with their versions, by name; None: nobody asked for them."""
    asked: bool
    """Whether the server asks PCs for that, as it is set now."""
    left_out: LeftOut | None
    """Steps that the history has left out; None: it has all."""
    steps: Sequence[HistoryRow]
    """What it did last, the newest first, in the months that are in the database."""

    @property
    def endpoint(self) -> EndpointRow:
        """The PC."""
        return self.known.endpoint

    @property
    def connected(self) -> bool:
        """Whether it is connected now."""
        return self.endpoint.connected and self.serving


def read_endpoint(context: Context, name: str, *, with_packages: bool = False) -> EndpointCard:
    """Return what is known of the PC that ``name`` names, as for `named_endpoint`; raises as that."""
    settings = context.settings()
    with context.database() as database:
        with database.one_state():
            row = endpoint_in(database, name)
            known = database.endpoint_card(row.endpoint_id)
            assert known is not None
        head = patches_head(context, database)
        question = StatusQuestion(endpoint=row.endpoint_id)
        page = standing_page(context, database, head, question, size=MAX_PAGE_ROWS)
        has = database.inventory_of(row.endpoint_id) if with_packages else None
        return EndpointCard(
            server_name=head.server_name,
            serving=head.serving,
            known=known,
            namesakes=Namesakes.lately(context, database).of(row),
            patches=sorted(page.rows, key=_rank),
            total=page.total or 0,
            inventory=database.inventory_head(row.endpoint_id),
            packages=sorted((has or NOTHING).packages.items(), key=_by_name) if with_packages else None,
            asked=settings.inventory_minutes > 0,
            left_out=database.steps_left_out(row.endpoint_id),
            steps=database.history_of(row.endpoint_id, SHOWN_STEPS),
        )


def _by_name(package: tuple[PackageName, str]) -> tuple[str, str]:
    (ecosystem, name), _ = package
    return name, ecosystem


def _rank(row: PatchOnPc) -> int:
    return _ORDER.index(row.reached) if row.reached in _ORDER else len(_ORDER)
