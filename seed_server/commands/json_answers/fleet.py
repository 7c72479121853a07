"""What `status`, `endpoints` and `sites` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import ByteRate, Bytes, Count, Seconds, UnixSeconds


class StatusPayloadDocument(Struct, frozen=True):
    """One file of a patch."""

    file_name: str
    """Its name on the PCs."""
    platform: str
    """The platform that it is for; empty: any."""
    arch: str
    """The processor's architecture; empty: any."""
    language: str
    """Empty: any."""
    length_bytes: Bytes
    """Of the file."""
    sha256: str
    """Of the file, hexadecimal."""


class InstallCountsDocument(Struct, frozen=True):
    """How many endpoints have reported each state of the installation."""

    installed: Count
    """It is there and works."""
    installing: Count
    """A program is at work."""
    waiting: Count
    """For a window, an order, a restart or another patch."""
    failed: Count
    """It could not be installed."""
    rolled_back: Count
    """It was installed, did not work, and was taken away again."""
    not_applicable: Count
    """It is not for them."""


class PatchEndpointDocument(Struct, frozen=True):
    """What one endpoint has last reported on a patch."""

    id: str
    """The endpoint's."""
    hostname: str
    """What the PC calls itself."""
    site: str | None
    """Where it was seen last; null: it has never connected."""
    state: str
    """Of the file: waiting, checking, fetching, verifying, verified or failed."""
    progress: float
    """From 0 to 1."""
    bytes_from_origin: Bytes
    """That it has fetched from this server."""
    bytes_from_peers: Bytes
    """That it has got from its neighbours."""
    bytes_wasted: Bytes
    """That it got twice, or damaged."""
    seconds: Seconds
    """From first seen to verified, or to now."""
    error: str | None
    """What went wrong, for people; null: nothing."""
    install: str | None
    """Of the installation, as the keys of `install`; null: nothing is installed from this patch."""
    install_reason: str | None
    """Why it stands so, for people; null: no reason is needed."""
    reported_at: UnixSeconds
    """When it was said."""


class PatchSiteDocument(Struct, frozen=True):
    """What went to one site of a patch."""

    site: str
    """Its name."""
    wan_bytes: Bytes
    """That this server has sent there."""
    origin_ratio: float
    """These bytes ÷ the files that went there; 1 is the least."""


class PatchDocument(Struct, frozen=True):
    """A published patch and what has become of it."""

    id: str
    """What this is a patch of; the same for all versions."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    cvss: float | None
    """CVSS score; null: not given."""
    length_bytes: Bytes
    """Of the first payload."""
    sha256: str
    """Of the first payload, hexadecimal."""
    payloads: tuple[StatusPayloadDocument, ...]
    """All of its files."""
    published_at: UnixSeconds
    """When it was signed."""
    damaged: str | None
    """Why it cannot be served, for people; null: it can."""
    endpoints_verified: Count
    """Endpoints that have the whole file, checked."""
    install: InstallCountsDocument
    """Endpoints by the state of the installation."""
    endpoints: tuple[PatchEndpointDocument, ...]
    """Those that have reported on it."""
    sites: tuple[PatchSiteDocument, ...]
    """Those that it was sent to."""


class EndpointDocument(Struct, frozen=True):
    """An enrolled PC."""

    id: str
    """Its key's, for good."""
    hostname: str
    """What it calls itself."""
    site: str | None
    """Where it was seen last; null: it has never connected."""
    address: str | None
    """Its IP address there; null: it has never connected."""
    software: str | None
    """Its release of p2pdist; null: it has never connected."""
    connected: bool
    """Whether it is now."""
    denied: bool
    """Whether it is refused."""
    tags: tuple[str, ...]
    """From the token that it was enrolled with."""
    enrolled_at: UnixSeconds
    """When, the last time."""
    last_seen_at: UnixSeconds | None
    """When it was connected last; null: never."""


class StatusDocument(Struct, frozen=True):
    """The fleet. With `--watch`, one document a second."""

    server: str
    """This server's name."""
    serving: bool
    """Whether `seed-server serve` runs on this home."""
    patches: tuple[PatchDocument, ...]
    """In the order of publication."""
    endpoints: tuple[EndpointDocument, ...]
    """All that are enrolled, by hostname."""


class SiteDocument(Struct, frozen=True):
    """How fast one site is sent to, and why. Rates are on the line, headers included."""

    site: str
    """Its name."""
    active: bool
    """Whether something is being sent there."""
    endpoints: Count
    """Of the site that are connected."""
    fetchers: Count
    """Of these that are sent pieces."""
    rate: ByteRate
    """What it is sent at; 0: nothing is."""
    capacity: ByteRate | None
    """Of its line; null: not known."""
    capacity_is: Literal["configured", "learned", "unknown"]
    """Where the capacity is known from."""
    state: str
    """Of the limiter."""
    reason: str
    """What binds now."""
    seconds: dict[str, Seconds]
    """Spent under each reason since the server's start."""
    yield_seconds: Seconds
    """In which it gave way to others."""
    sending_seconds: Seconds
    """In which something was sent."""
    wan_bytes: Bytes
    """That this server has sent there, of what is published now."""
    file_bytes: Bytes
    """Of the files that anything of was sent there."""
    origin_ratio: float | None
    """The former ÷ the latter, 1 is the least; null: nothing was sent."""
    at: UnixSeconds
    """When this was written down."""


class SitesDocument(Struct, frozen=True):
    """Every site that was ever sent to. With `--watch`, one document a second."""

    serving: bool
    """Whether `seed-server serve` runs on this home."""
    sites: tuple[SiteDocument, ...]
    """Those that are sent to first, then by name."""
