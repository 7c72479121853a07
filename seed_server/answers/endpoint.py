"""What `endpoints show` prints with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds
from seed_server.answers.fleet import EndpointDocument
from seed_server.answers.history import HistoryRowDocument
from seed_server.answers.standing import StandingDocument


class EndpointEnrolmentDocument(Struct, frozen=True):
    """How the PC came here."""

    token: str
    """The token's id, as in `token list`. Since 0.3."""
    at: UnixSeconds
    """When it was used. Since 0.3."""
    made_by: str | None
    """Who made the token; null: it is not known. Since 0.3."""


class EndpointNeighbourDocument(Struct, frozen=True):
    """A PC beside it."""

    id: str
    """Its id. Since 0.3."""
    hostname: str
    """Its host name. Since 0.3."""
    address: str
    """Its IP address. Since 0.3."""


class ForgottenEndpointDocument(Struct, frozen=True):
    """A PC that is forgotten, or would be."""

    id: str
    """Its id. Since 0.3."""
    hostname: str
    """Its host name. Since 0.3."""
    site: str | None
    """The site where it was seen last; null: it has never connected. Since 0.3."""
    last_seen_at: UnixSeconds | None
    """When it was connected last; null: never. Since 0.3."""
    forgotten: bool
    """Whether it is forgotten now; false: `--dry-run`. Since 0.3."""


class UnmanagedNeighbourDocument(Struct, frozen=True):
    """A machine that is no enrolled PC."""

    site: str
    """The site whose PCs see it. Since 0.3."""
    card: str
    """Its hardware address, such as 52:54:00:12:34:56. Since 0.3."""
    address: str
    """Its IP address when it was seen last. Since 0.3."""
    seen_by: Count
    """How many PCs see it. Since 0.3."""
    first_seen_at: UnixSeconds
    """When the first of them told of it. Since 0.3."""
    last_seen_at: UnixSeconds
    """When one of them told of it last, to six hours. Since 0.3."""


class UnmanagedDocument(Struct, frozen=True):
    """Machines beside PCs that are no enrolled PCs."""

    asked: bool
    """Whether PCs are asked who is beside them: `unmanaged_neighbours` in server.toml. Since 0.3."""
    telling: Count
    """How many PCs of the site, or of all, have told. Since 0.3."""
    pcs: Count
    """How many there are; of those that do not tell, some may be among `machines`. Since 0.3."""
    machines: tuple[UnmanagedNeighbourDocument, ...]
    """Those first that most PCs see; at most 1000. Since 0.3."""
    more: bool
    """Whether there are more. Since 0.3."""


class EndpointPackageDocument(Struct, frozen=True):
    """A package that the PC has."""

    ecosystem: Literal["deb", "rpm", "windows", "generic"]
    """By whose rules its version compares. Since 0.3."""
    name: str
    """Its name. Since 0.3."""
    version: str
    """The version that is installed. Since 0.3."""


class EndpointCardDocument(Struct, frozen=True):
    """All that is known of one PC."""

    server: str
    """This server's name. Since 0.3."""
    serving: bool
    """Whether the server runs; if not, nobody is connected. Since 0.3."""
    endpoint: EndpointDocument
    """The PC, as in `endpoints`. Since 0.3."""
    enrolments: tuple[EndpointEnrolmentDocument, ...]
    """The tokens that it was enrolled with, the newest first; empty: that is not known. Since 0.3."""
    forgotten_at: tuple[UnixSeconds, ...]
    """When it was forgotten before it came back, the last time first; 0: it is not known when. Since 0.3."""
    facts: dict[str, str] | None
    """What it says of itself, by which rings choose, such as os.id; null: nothing yet. Since 0.3."""
    packages: Count | None
    """How many packages it has told; null: nothing yet. Since 0.3."""
    packages_told: Literal["all", "some", "withheld"] | None
    """Whether these are all; some: others could not be read; withheld: by its administrator; null: it does not say.
    Unless it is all, a package that it has not told is unknown, not absent. Since 0.3."""
    installed: tuple[EndpointPackageDocument, ...] | None
    """With `--packages`: these packages, by name; null without. Since 0.3."""
    inventory_facts: dict[str, str | int | bool | tuple[str, ...]] | None
    """The facts that it has told, by name, as in expressions; null: nothing yet. Since 0.3."""
    inventory_at: UnixSeconds | None
    """When it told its inventory, or confirmed it; null: it has told nothing yet. Since 0.3."""
    inventory_asked: bool
    """Whether the server asks PCs for their inventories: false where `inventory_minutes` is 0. Since 0.3."""
    findings: tuple[str, ...]
    """What it says is wrong with it: codes, as in docs/doctor.md; empty: it has told of nothing. Since 0.3."""
    connected_beside: Count | None
    """How many other PCs of its site are connected; null: the server does not run. Since 0.3."""
    beside: tuple[EndpointNeighbourDocument, ...]
    """Some of them, by name. Since 0.3."""
    patches: tuple[StandingDocument, ...]
    """How each patch stands on it, at most 1000: those that failed first, then those that it lacks. Since 0.3."""
    steps_left_out: Count
    """How many steps of it the history has left out since it is enrolled: it reported too many. Since 0.3."""
    steps_left_out_at: UnixSeconds | None
    """When the last of them was; null: none was. Since 0.3."""
    history: tuple[HistoryRowDocument, ...]
    """What it did last, the newest first; of months that are archived, `report history` tells. Since 0.3."""
