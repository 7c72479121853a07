"""Asks PCs for signed files that this server has lost: after a restore they have seen newer ones than it knows.

One PC at a time, one part of a file at a time, as much as a file may have. Only what the repository's keys have signed
is kept, so whoever sends rubbish costs a minute, and is asked less and less often.
"""

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, SiteName
from p2pdist.shared.wire.features import GIVES_SIGNED
from p2pdist.shared.wire.signed_files import (
    MAX_SIGNED_FILE_BYTES,
    SignedFilePart,
    SignedWanted,
    TrustTold,
    TrustWanted,
    versions_digest,
)
from seed_server.origin.donors import Donor, Donors, Presenting
from seed_server.origin.outside_log import OutsideLog
from seed_server.signing.adoption import NotAdoptableError
from seed_server.signing.bins import ORDER_ROLE, PATCHES_ROLE
from seed_server.signing.handing_in import HandedIn, LackingDocument, OwnVersions
from seed_server.signing.presented import MAX_PRESENTED_ROOTS

PART_SECONDS = 30.0  # for one part of a file, over a slow line
ROUND_SECONDS = 300.0  # for all that one PC hands in
PART_BYTES_A_SECOND = 256 << 10  # half of what a PC may send (`message_budgets.BYTES`)
MAX_ROUND_BYTES = 12 << 20  # of one PC: in memory until it has proved itself
MAX_PRESENTED_ROLE_BYTES = 1 << 20  # a role of thousands of patches has a tenth; to read more would delay a controller
MAX_PRESENTED_ROOT_BYTES = 64 << 10  # as PCs accept
PARTS_A_SECOND = 40.0  # below what a PC may say (`message_budgets`): documents are many, and small
MAX_OTHERS = 32  # PCs that are asked for documents that the first one does not have
OTHERS_SECONDS = 20.0  # for one of these
GIVING_WAY_LOOK_SECONDS = 1.0
ADOPTING_SECONDS = 30.0  # until what was handed in is adopted, and known here
MAX_KEEPERS = 8  # PCs that keep every signed file: at least one of them outlives the server
MAX_KEEPERS_AT_SITE = 3  # each gets years of patches over its line once, some megabytes
KEEPER_LOOK_SECONDS = 15.0  # when a fleet returns, it has other things to do first
MAX_KNOWN_DIGESTS = 256  # of versions: PCs that were away know older ones
SAY_PROGRESS_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True)
class TrustProgress:
    """How many PCs have told which versions they trust since the start, and how many of them know newer ones."""

    told: int
    newer: int


class RubbishError(Exception):
    """A PC has not handed in what it said it trusts; the text is a clause for people."""


class _TooSlowError(RubbishError):
    """It takes too long, and others wait."""


class LostFiles:
    """What PCs trust, and how what this server lacks of it comes back."""

    def __init__(
        self,
        handed: HandedIn,
        outside_log: OutsideLog,
        *,
        whole: Callable[[], None],
        progress: Callable[[TrustProgress], None] = lambda _: None,
    ) -> None:
        """``whole`` is called when there is something to adopt; ``progress`` when it has changed."""
        self._handed = handed
        self._log = outside_log
        self._whole = whole
        self._progress = progress
        self._own: OwnVersions | None = None
        self._pcs: dict[EndpointId, Presenting] = {}
        self._told: set[EndpointId] = set()
        self._sites: dict[EndpointId, SiteName] = {}
        self._keepers: set[EndpointId] = set()
        self._donors = Donors(random.random)
        self._asked: tuple[EndpointId, float] | None = None
        """Who is asked now, and since when."""
        self._known: OrderedDict[bytes, Mapping[str, int]] = OrderedDict()
        """Roles by the digest of their versions; empty: nothing newer than what is here."""
        self._wanted: tuple[EndpointId, str, int] | None = None
        """The part that was asked for last."""
        self._part: SignedFilePart | None = None
        self._came = trio.Event()
        self._wake = trio.Event()
        self._said = TrustProgress(0, 0)

    # --- what PCs say --------------------------------------------------------------------

    def heard(self, pc: Presenting, site: SiteName, message: TrustTold | SignedFilePart) -> None:
        """Take what a PC at ``site`` says."""
        if isinstance(message, TrustTold):
            self._sites[pc.endpoint] = site
            self.told(pc, message)
        else:
            self.part(pc, message)

    def told(self, pc: Presenting, told: TrustTold) -> None:
        """Take which versions a PC trusts."""
        if GIVES_SIGNED not in pc.features:
            return
        if told.roles and versions_digest(told.root, told.roles) != told.digest:
            return  # it contradicts itself: nothing is asked of it
        self._pcs[pc.endpoint] = pc
        if self._own is None:
            return
        self._told.add(pc.endpoint)
        if told.digest == self._own.digest:
            self._donors.remove(pc.endpoint)
            return
        roles = told.roles or self._known.get(told.digest)
        if roles is None:
            self._told.discard(pc.endpoint)
            pc.outbox.put("trust", TrustWanted(versions=True))
            return
        newer = self._own.newer(told.root, roles)
        self._remember(told.digest, roles if newer else {})
        if not newer:
            self._donors.remove(pc.endpoint)
            return
        self._donors.add(Donor(pc, told, roles))
        self._log.warning("a PC trusts newer signed files than this server has", pc.endpoint, snapshot=told.snapshot)
        self._wake.set()

    def part(self, pc: Presenting, part: SignedFilePart) -> None:
        """Take a part of a file; one that nobody waits for, as after a time-out, does no harm."""
        if self._wanted == (pc.endpoint, part.path, part.offset):
            self._wanted, self._part = None, part
            self._came.set()

    def left(self, pc: Presenting) -> None:
        """Forget a PC that is not connected any more."""
        if self._pcs.get(pc.endpoint) is pc:
            del self._pcs[pc.endpoint]
            self._sites.pop(pc.endpoint, None)
            self._keepers.discard(pc.endpoint)
            self._donors.remove(pc.endpoint)
            if self._wanted is not None and self._wanted[0] == pc.endpoint:
                self._came.set()

    def _remember(self, digest: bytes, roles: Mapping[str, int]) -> None:
        self._known[digest] = roles
        if len(self._known) > MAX_KNOWN_DIGESTS:
            self._known.popitem(last=False)

    # --- what is done about it -----------------------------------------------------------

    async def look(self) -> None:
        """Read which versions this server has: call it before PCs connect, and when they have changed."""
        try:
            own = await trio.to_thread.run_sync(self._handed.own)
        except (UserError, OSError) as error:
            log.error("the signed files cannot be read", reason=str(error))  # noqa: TRY400
            return
        if self._own is None or own.digest != self._own.digest:
            self._known.clear()
        self._own = own
        for donor in self._donors:
            if not own.newer(donor.told.root, donor.roles):
                self._donors.remove(donor.pc.endpoint)
        self._wake.set()

    async def run(self) -> None:
        """Get what is lacking, from one PC after the other, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_progress)
            nursery.start_soon(self._choose_keepers)
            while True:
                self._wake = trio.Event()
                if (donor := self._donors.next(trio.current_time())) is not None:
                    await self._ask(donor)
                else:
                    with trio.move_on_after(self._donors.wait(trio.current_time())):
                        await self._wake.wait()

    async def _choose_keepers(self) -> None:
        """Have some PCs that stay keep everything, of as many sites as there are; others replace those that left."""
        while True:
            await trio.sleep(KEEPER_LOOK_SECONDS)
            if len(self._keepers) >= MAX_KEEPERS:
                continue
            at_site = Counter(self._sites.get(endpoint) for endpoint in self._keepers)
            # each costs its line some more with every publication, and a site may be lost with all its PCs
            others = [pc for endpoint, pc in self._pcs.items() if endpoint not in self._keepers]
            while others and len(self._keepers) < MAX_KEEPERS:
                pc = min(others, key=lambda one: at_site[self._sites.get(one.endpoint)])
                if at_site[self._sites.get(pc.endpoint)] >= MAX_KEEPERS_AT_SITE:
                    break
                others.remove(pc)
                pc.outbox.put("keep", TrustWanted(keep=True))
                self._keepers.add(pc.endpoint)
                at_site[self._sites.get(pc.endpoint)] += 1

    async def _say_progress(self) -> None:
        while True:
            said = TrustProgress(len(self._told), len(self._donors))
            if said != self._said:
                self._said = said
                self._progress(said)
            await trio.sleep(SAY_PROGRESS_SECONDS)

    async def _ask(self, donor: Donor) -> None:
        endpoint = donor.pc.endpoint
        self._asked = endpoint, trio.current_time()
        try:
            with trio.fail_after(ROUND_SECONDS):
                await self._collect(donor)
        except (RubbishError, NotAdoptableError, trio.TooSlowError) as error:
            reason = str(error) or "it is too slow"
            self._log.warning("a PC has not handed in the signed files that it trusts", endpoint, reason=reason)
            leave = self._donors.was_too_slow if isinstance(error, _TooSlowError) else self._donors.blame
            leave(endpoint, trio.current_time())
            return
        except (UserError, OSError) as error:
            log.error("what PCs hand in cannot be kept", reason=str(error))  # noqa: TRY400
            self._donors.blame(endpoint, trio.current_time())
            return
        finally:
            self._asked = None
        self._donors.has_handed_in(endpoint, trio.current_time())
        log.info("signed files were handed in", endpoint=endpoint)
        before = self._own
        self._whole()
        with trio.move_on_after(ADOPTING_SECONDS):
            while self._own is before:
                await self._wake.wait()
                self._wake = trio.Event()

    async def _collect(self, donor: Donor) -> None:
        """Get what is newer of a PC. Raises `RubbishError`, `NotAdoptableError`, `UserError`, `OSError`."""
        own = self._own
        assert own is not None
        left = MAX_ROUND_BYTES
        roots: list[bytes] = []
        for version in range(own.root + 1, min(donor.told.root, own.root + MAX_PRESENTED_ROOTS) + 1):
            data = await self._fetch(donor.pc, f"metadata/{version}.root.json", MAX_PRESENTED_ROOT_BYTES)
            if data is None:
                break
            roots.append(data)
            left -= len(data)
        wanted = own.newer_roles(donor.roles)
        above = {"snapshot": donor.told.snapshot, "timestamp": donor.told.timestamp}
        wanted |= {role: version for role, version in above.items() if version > getattr(own, role)}
        roles: dict[str, bytes] = {}
        for role, version in wanted.items():
            most = min(left, MAX_PRESENTED_ROLE_BYTES)
            if role == PATCHES_ROLE and ORDER_ROLE not in own.roles:
                most = left  # as release 0.2.0 wrote it, it lists everything itself
            data = await self._fetch(donor.pc, f"metadata/{version}.{role}.json", most)
            if data is not None:
                roles[role] = data
                left -= len(data)
        if not roots and not roles.keys() - above.keys():
            raise RubbishError("it has none of them")
        lacking = await trio.to_thread.run_sync(self._handed.take, roots, roles)
        await self._documents(donor.pc, lacking)
        self._asked = None  # others are asked for what is left, and each has a time of its own
        now = trio.current_time()
        others = [pc for pc in self._pcs.values() if pc is not donor.pc and self._donors.may_ask(pc.endpoint, now)]
        for pc in random.sample(others, min(MAX_OTHERS, len(others))):
            if not lacking:
                break
            try:
                with trio.fail_after(OTHERS_SECONDS):
                    await self._documents(pc, lacking)
            except (RubbishError, trio.TooSlowError) as error:
                reason = str(error) or "it is too slow"
                self._log.warning("a PC has handed in what was not signed", pc.endpoint, reason=reason)
                self._donors.blame(pc.endpoint, trio.current_time())

    async def _documents(self, pc: Presenting, lacking: list[LackingDocument]) -> None:
        """Get what a PC has of these, which are lacking no more then. Raises `RubbishError`."""
        for document in tuple(lacking):
            data = await self._fetch(pc, document.place, document.entry.length)
            if data is None:
                continue
            if not await trio.to_thread.run_sync(self._handed.take_document, document, data):
                raise RubbishError(f"{document.place[:80]} is not what was signed")
            lacking.remove(document)

    async def _fetch(self, pc: Presenting, path: str, most: int) -> bytes | None:
        """Return a file of a PC; None: it does not have it. Raises `RubbishError`."""
        most, data = min(most, MAX_SIGNED_FILE_BYTES), bytearray()
        while True:
            part = await self._fetch_part(pc, path, len(data))
            if part.total == 0 and not data:
                return None
            if part.total > most:
                raise RubbishError(f"{path[:80]} is larger than it may be")
            if not part.data or len(data) + len(part.data) > part.total:
                raise RubbishError(f"the parts of {path[:80]} do not fit together")
            data += part.data
            await trio.sleep(max(len(part.data) / PART_BYTES_A_SECOND, 1 / PARTS_A_SECOND))
            if len(data) == part.total:
                return bytes(data)

    def _gives_way(self) -> bool:
        return self._asked is not None and self._donors.gives_way(*self._asked, trio.current_time())

    async def _fetch_part(self, pc: Presenting, path: str, offset: int) -> SignedFilePart:
        if self._pcs.get(pc.endpoint) is not pc:
            raise RubbishError("it is not connected any more")
        self._wanted, self._part, self._came = (pc.endpoint, path, offset), None, trio.Event()
        pc.outbox.put("signed", SignedWanted(path, offset))
        try:
            with trio.fail_after(PART_SECONDS):
                while not self._came.is_set():
                    with trio.move_on_after(GIVING_WAY_LOOK_SECONDS):
                        await self._came.wait()
                    if self._gives_way():
                        raise _TooSlowError("it is too slow, and others wait")
        finally:
            self._wanted = None
        part: SignedFilePart | None = self._part
        if part is None:
            raise RubbishError("it is not connected any more")
        return part
