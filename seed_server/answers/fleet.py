"""What `status`, `endpoints` and `sites` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import ByteRate, Bytes, Count, Seconds, UnixSeconds
from seed_server.answers.offers import WayBackDocument


class StatusPayloadDocument(Struct, frozen=True):
    """One file of a patch."""

    file_name: str
    """Its name on the PCs."""
    platform: str
    """The platform that it is for; empty: any."""
    arch: str
    """The processor's architecture that it is for; empty: any."""
    language: str
    """The language that it is for; empty: any."""
    length_bytes: Bytes
    """Length of the file."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""


class InstallCountsDocument(Struct, frozen=True):
    """How many endpoints have reported each state of the installation."""

    installed: Count
    """It is installed and works."""
    installing: Count
    """An installer is running."""
    restart_pending: Count
    """Its installer has done its part, and the PC has to be restarted before it is finished."""
    unproven: Count
    """Its installer has succeeded, and detection has no answer yet: it is asked again."""
    waiting: Count
    """It waits for a window, an order, another patch, or an installer that is busy."""
    retrying: Count
    """It has failed, and is tried again by itself."""
    failed: Count
    """It could not be installed, and nobody tries again: somebody has to act."""
    rolled_back: Count
    """It was installed, did not work, and was rolled back for good: somebody has to act."""
    not_applicable: Count
    """It does not apply to them."""


class PatchEndpointDocument(Struct, frozen=True):
    """What one endpoint has last reported on a patch."""

    id: str
    """The endpoint's id."""
    hostname: str
    """The PC's host name."""
    site: str | None
    """The site where it was seen last; null: it has never connected."""
    state: str
    """State of the file: waiting, checking, fetching, verifying, verified or failed."""
    progress: float
    """How much of the file is on its disk, from 0 to 1."""
    bytes_from_origin: Bytes
    """Bytes that it has fetched from this server: what crossed the line."""
    bytes_from_peers: Bytes
    """Bytes that it has got from its neighbours."""
    bytes_wasted: Bytes
    """Bytes that it got twice, or damaged."""
    bytes_built: Bytes
    """Bytes of pieces from this server that did not cross the line: built of what the PC had, and by compression.
    Since 0.3."""
    seconds: Seconds
    """Time from first seen to verified, or to now."""
    error: str | None
    """What went wrong, for people; null: nothing."""
    install: str | None
    """State of the installation, named as the keys of `install`; null: nothing is installed from this patch."""
    install_reason: str | None
    """Why the installation is in this state, for people; null: no reason is needed."""
    install_output: str | None
    """The end of what its installer wrote, in one line; null: it wrote nothing, or has not failed."""
    reported_at: UnixSeconds
    """When the endpoint reported this."""


class PatchSiteDocument(Struct, frozen=True):
    """What was sent of a patch to one site."""

    site: str
    """The site's name."""
    wan_bytes: Bytes
    """Bytes that this server has sent there."""
    origin_ratio: float
    """`wan_bytes` ÷ bytes of the files that went there; 1 or more, unless pieces were coded."""


class ReachedDocument(Struct, frozen=True):
    """Every endpoint that is allowed here, in exactly one of these counts but the first."""

    endpoints: Count
    """All of them."""
    installed: Count
    """It is installed."""
    delivered: Count
    """The proven file is there, and nothing is installed of it."""
    under_way: Count
    """It is fetched, installed or waits, on a connected PC."""
    failed: Count
    """It has failed, and somebody has to act."""
    away: Count
    """It is not done, and the PC is not connected."""
    silent: Count
    """The PC has never said a word of it: it is off, or has not come to it."""
    not_applicable: Count
    """It is not for the PC."""


class ProblemDocument(Struct, frozen=True):
    """What the operator should know though no command failed."""

    text: str
    """What is so, in English."""
    mend: str
    """The command or the file that mends it."""
    urgent: bool
    """Whether it harms already."""


class SmallerUpdateDocument(Struct, frozen=True):
    """How far the pieces of a patch are coded ahead; the others are coded when they are asked for."""

    base: str | None
    """ID@VERSION of the former version that they are coded by; null: they are compressed alone. Since 0.3."""
    ready: float
    """The share of the pieces that are as small as they get, from 0 to 1. Since 0.3."""


class PatchDocument(Struct, frozen=True):
    """A published patch and what has become of it."""

    id: str
    """The patch's id; the same for all versions."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    cvss: float | None
    """CVSS score; null: not given."""
    length_bytes: Bytes
    """Length of the first payload."""
    sha256: str
    """SHA-256 of the first payload, hexadecimal."""
    payloads: tuple[StatusPayloadDocument, ...]
    """All files of the patch."""
    published_at: UnixSeconds
    """When it was signed."""
    announced: bool
    """Whether endpoints were told of it; false: its publication was cut off, or is at work now."""
    damaged: str | None
    """Why it cannot be served, for people; null: it can."""
    withdrawn: str | None
    """Why it was withdrawn; null: it is not."""
    replaced: bool
    """Whether PCs are offered it no more, as something newer is: what they say of it is history."""
    replaced_by: str | None
    """The version of its id that is offered instead; null: it is not replaced, or by another patch."""
    endpoints_verified: Count
    """Endpoints that have the whole file, verified."""
    install: InstallCountsDocument
    """Endpoints by the state of the installation."""
    reached: ReachedDocument
    """Every endpoint that is allowed here, by how far it is."""
    endpoints: tuple[PatchEndpointDocument, ...]
    """Endpoints that have reported on it."""
    sites: tuple[PatchSiteDocument, ...]
    """Sites that it was sent to."""
    back: WayBackDocument | None = None
    """How far PCs are that go back from it; null: none does. Since 0.3."""
    smaller: tuple[SmallerUpdateDocument, ...] = ()
    """How far its pieces are coded ahead, by which former versions. Since 0.3."""


class EndpointDocument(Struct, frozen=True):
    """An enrolled PC."""

    id: str
    """Its id, which never changes: derived from its key."""
    hostname: str
    """Its host name."""
    site: str | None
    """The site where it was seen last; null: it has never connected."""
    address: str | None
    """Its IP address when it was seen last; null: it has never connected."""
    software: str | None
    """Its release of p2pdist; null: it has never connected."""
    connected: bool
    """Whether it is connected now."""
    denied: bool
    """Whether the server refuses it."""
    pending: bool
    """Whether it is denied only because nobody has allowed it yet."""
    same_name: tuple[str, ...]
    """Ids of other endpoints with its host name: PCs choose their names themselves."""
    tags: tuple[str, ...]
    """Tags from the token that it was enrolled with."""
    enrolled_at: UnixSeconds
    """When it was last enrolled."""
    last_seen_at: UnixSeconds | None
    """When it was connected last; null: never."""
    refuses: str | None
    """Why it accepts nothing new that this server has signed, as it said last; null: it does."""
    shared_with: str | None
    """Which other PCs show its identity now, in words: a copied disk, or a stolen key; null: none."""
    claimed_site: str | None
    """The site that it said it is in, though the server saw it in `site`; it is not believed. null: no such claim."""


class EndpointsPageDocument(Struct, frozen=True):
    """With `--page-size` or `--after`: a page of enrolled PCs."""

    server: str
    """This server's name. Since 0.3."""
    serving: bool
    """Whether `seed-server serve` runs on this home. Since 0.3."""
    total: Count
    """Rows of all pages. Since 0.3."""
    rows: tuple[EndpointDocument, ...]
    """Those of this page: PCs about which something is odd or that wait to be allowed come first, then by name.
    Since 0.3."""
    next: str | None
    """What to give to `--after` for the next page; null: this is the last one. Since 0.3."""


class StatusDocument(Struct, frozen=True):
    """The fleet. With `--watch`, one document a second."""

    server: str
    """This server's name."""
    serving: bool
    """Whether `seed-server serve` runs on this home."""
    repository_problem: str | None
    """Why the signed repository cannot be read, for people; null: it can."""
    patches: tuple[PatchDocument, ...]
    """Published patches, in the order of publication."""
    endpoints: tuple[EndpointDocument, ...]
    """All enrolled endpoints, by hostname."""
    problems: tuple[ProblemDocument, ...]
    """What the operator should know, the worst first."""


class SiteDocument(Struct, frozen=True):
    """How fast one site is sent to, and why. Rates are on the line, headers included."""

    site: str
    """The site's name."""
    active: bool
    """Whether something is being sent there."""
    endpoints: Count
    """Endpoints of the site that are connected."""
    fetchers: Count
    """Connected endpoints that are sent pieces."""
    rate: ByteRate
    """Rate at which the site is sent to; 0: nothing is sent."""
    rate_bytes_per_second: ByteRate
    """The same as `rate`, with its unit in the name."""
    capacity: ByteRate | None
    """Capacity of the site's line; null: not known."""
    capacity_bytes_per_second: ByteRate | None
    """The same as `capacity`, with its unit in the name."""
    capacity_is: Literal["configured", "learned", "unknown"]
    """How the capacity is known."""
    learned_at: UnixSeconds | None
    """When the line last showed its capacity; null: it is configured or unknown."""
    state: str
    """State of the limiter."""
    reason: str
    """What limits the rate now."""
    large_packets_lost: bool
    """Whether full packets do not get through to the site, so that smaller ones are used."""
    shared_identities: tuple[str, ...]
    """Ids of its endpoints whose identity several PCs show now; `endpoints` says which."""
    paused_until: UnixSeconds | None
    """When leasing goes on that pauses because business suffered while we sent; null: it does not. Since 0.3."""
    pause_reason: str
    """How business suffered, when leasing paused last; empty: it never has. Since 0.3."""
    pauses: Count
    """How often leasing has paused there for that, ever. Since 0.3."""
    seconds: dict[str, Seconds]
    """Seconds under each reason, ever."""
    yield_seconds: Seconds
    """Seconds in which the site gave way to others."""
    sending_seconds: Seconds
    """Seconds in which something was sent."""
    wan_bytes: Bytes
    """Bytes that this server has sent there, of what is published now."""
    file_bytes: Bytes
    """Length of all files of which anything was sent there."""
    origin_ratio: float | None
    """`wan_bytes` ÷ `file_bytes`; 1 or more, unless pieces were coded; null: nothing was sent."""
    at: UnixSeconds
    """When this was recorded."""


class SitesDocument(Struct, frozen=True):
    """Every site that was ever sent to. With `--watch`, one document a second."""

    serving: bool
    """Whether `seed-server serve` runs on this home."""
    sites: tuple[SiteDocument, ...]
    """The sites that are being sent to come first, then by name."""
    problems: tuple[ProblemDocument, ...]
    """What the operator should know of the site map, the signatures and the connections, the worst first."""
