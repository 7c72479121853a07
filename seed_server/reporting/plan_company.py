"""What is known of a company's sites and PCs, as a plan takes it. Blocking; nothing here writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from bandwidth.profiles.model import Profile
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.ring_facts import other_names
from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from p2pdist.shared.manifest.suitability import choose
from seed_server.fleet.context import Context
from seed_server.fleet.ring_counts import NO_RING, PcOutcome
from seed_server.fleet.rollout_counting import KnownPcs, known_pcs
from seed_server.reporting.plan_bases import BasesThere, FormerVersions
from seed_server.reporting.plan_facts import PlannedSite, RingPart
from seed_server.reporting.plan_habits import PcPast, habits
from seed_server.reporting.plan_limits import ProfileLimits, line_capacities
from seed_server.reporting.plan_weeks import SiteWeek, fleet_hours
from seed_server.reporting.plan_windows import USUAL_SECONDS, openings
from seed_server.store.plan_rows import THIRD_SECONDS, PcThirds

if TYPE_CHECKING:
    from seed_server.store.database import Database


class Company:
    """What is known of all sites and PCs, read once."""

    def __init__(
        self,
        context: Context,
        database: "Database",
        manifest: Manifest,
        plan: RolloutPlan | None,
        profiles: Mapping[SiteName, Profile],
        *,
        now: float,
        start: float,
    ) -> None:
        self._manifest, self._now, self._start = manifest, now, start
        self._profiles = profiles
        self._pcs = known_pcs(database)
        self._thirds = database.pc_thirds()
        self._recorded_since = _recorded_since(self._thirds.values(), now)
        self._rings = None if plan is None else self._pcs.rings_of(plan)
        self._behind = 0 if plan is None else len(plan.rings)
        self._held = _held(database, self._pcs, manifest, start)
        number = database.patch_number(manifest.ref)
        said = {} if number is None else database.said_on(number, failures_since=0)
        self._outcomes = self._pcs.outcomes(said, installs=manifest.install is not None)
        self._verified = {pc for (state, _), pcs in said.items() if state == "verified" for pc in pcs}
        self._chosen = _Variants(manifest, self._pcs)
        self._bases = FormerVersions(context, database, manifest)
        torrents = {payload.torrent_hash for payload in manifest.payloads}
        self._sent_torrents = database.wan_bytes_of(torrents)
        self.sent: dict[str, int] = defaultdict(int)
        for (site, _), count in self._sent_torrents.items():
            self.sent[site] += count
        self._hours = database.line_hours()
        self._capacities = line_capacities(context, database, profiles)
        self._limits = ProfileLimits(profiles, self._capacities)
        self._weeks: dict[str, SiteWeek] = {}
        self._usual: dict[str, list[int]] = defaultdict(list)
        self._members: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(self._pcs.rows):
            if row.allowed and row.site:
                self._members[row.site].append(place)
                if row.connected or row.last_seen_at >= now - USUAL_SECONDS:
                    self._usual[row.site].append(place)

    def sites(self) -> list[PlannedSite]:
        """Return the sites that have a PC which the patch is for."""
        bare = {
            name: PlannedSite(
                name=name,
                parts=(),
                usual=len(self._usual[name]),
                connected=sum(self._pcs.rows[place].connected for place in self._usual[name]),
                capacity=self._capacities.get(name),
                hours=self._hours.get(name, ()),
                allowed=self._limits.of(name),
            )
            for name in sorted(self._members)
        }
        fleet = fleet_hours(list(bare.values()))
        self._weeks = {name: SiteWeek(site, fleet) for name, site in bare.items()}
        found = [self._site(site) for site in bare.values()]
        return [site for site in found if site.parts]

    def pasts(self) -> list[tuple[Sequence[PcPast], int]]:
        """Return the past of the usual PCs of each site, and when its day begins."""
        return [
            ([self._past(place) for place in places], self._weeks[name].dawn) for name, places in self._usual.items()
        ]

    def _site(self, site: PlannedSite) -> PlannedSite:
        opened, forced = openings(
            self._manifest.schedule, self._manifest.install, self._manifest.health, self._start, self._zone(site.name)
        )
        bases = self._bases.at(self._pcs.rows[place].number for place in self._members[site.name])
        parts = tuple(self._parts(site.name, bases, set(self._usual[site.name]), self._weeks[site.name].dawn))
        built_from, smaller = bases.used(), bases.smaller
        return replace(site, parts=parts, openings=opened, forced_at=forced, built_from=built_from, smaller=smaller)

    def _parts(self, name: str, bases: BasesThere, usual: set[int], dawn: int) -> Iterable[RingPart]:
        by_ring: dict[int, list[int]] = defaultdict(list)
        for place in self._members[name]:
            if self._chosen.payload(place) is not None and self._outcomes[place] != PcOutcome.NOT_APPLICABLE:
                by_ring[self._ring(place)].append(place)
        there = {
            payload.torrent_hash
            for place in self._members[name]
            if self._pcs.rows[place].number in self._verified and (payload := self._chosen.payload(place))
        }
        for ring, places in sorted(by_ring.items()):
            left = [place for place in places if self._outcomes[place] == PcOutcome.WAITING and place not in self._held]
            due = [place for place in left if place in usual]
            missing = 0
            for payload in self._needed(due, there):
                there.add(payload.torrent_hash)
                missing += max(0, bases.line_bytes(payload) - self._sent_torrents.get((name, payload.torrent_hash), 0))
            yield RingPart(
                ring,
                tuple(habits([self._past(place) for place in due], self._now, dawn)),
                away=len(left) - len(due),
                done=len(places) - len(left),
                missing_bytes=missing,
            )

    def _needed(self, places: Iterable[int], there: set[str]) -> list[Payload]:
        found = {payload.torrent_hash: payload for place in places if (payload := self._chosen.payload(place))}
        return [payload for torrent, payload in sorted(found.items()) if torrent not in there]

    def _ring(self, place: int) -> int:
        if self._rings is None:
            return 0
        ring = self._rings[place]
        return ring if ring < NO_RING else self._behind

    def _past(self, place: int) -> PcPast:
        row = self._pcs.rows[place]
        known = self._thirds.get(row.number, PcThirds(0.0, 0, 0))
        since = max(known.enrolled_at, self._recorded_since)
        return PcPast(known.thirds, known.newest, row.connected, since)

    def _zone(self, name: str) -> tzinfo:
        profile = self._profiles.get(SiteName(name))
        if profile is not None:
            return ZoneInfo(profile.site(name).time_zone or profile.time_zone)
        return datetime.fromtimestamp(self._start, UTC).astimezone().tzinfo or UTC


def _recorded_since(all_thirds: Iterable[PcThirds], now: float) -> float:
    """Return since when it is recorded in which thirds of days PCs are seen; now, as it were, where none is."""
    oldest = [one.newest - one.thirds.bit_length() + 1 for one in all_thirds if one.thirds]
    return float(min(oldest) * THIRD_SECONDS) if oldest else now


def _held(database: "Database", pcs: KnownPcs, manifest: Manifest, start: float) -> frozenset[int]:
    """Return the places of PCs that an exception holds back."""
    found: set[int] = set()
    for one in database.exceptions():
        if one.holds(start) and (not one.patch or manifest.ref.matches(one.patch)):
            mask = pcs.holding(one.expression) if one.expression else b"\1" * len(pcs.rows)
            found.update(place for place, held in enumerate(mask) if held)
    return frozenset(found)


class _Variants:
    """Which file of a patch is for which PC, by the facts that the server knows."""

    def __init__(self, manifest: Manifest, pcs: KnownPcs) -> None:
        # a PC says itself where more has to be known, such as its packages
        asks_more = manifest.applies_to and other_names(manifest.applies_to)
        self._manifest = msgspec.structs.replace(manifest, applies_to="") if asks_more else manifest
        self._pcs = pcs
        self._same = not self._manifest.applies_to
        self._known: dict[tuple[str, ...], Payload | None] = {}

    def payload(self, place: int) -> Payload | None:
        """Return the file for the PC at this place; None: the patch is not for it."""
        facts = self._pcs.facts(place)
        if not facts.values.get("os.family") and self._same:
            return self._manifest.payloads[0]  # it has told nothing of itself yet
        names = ("os.family", "arch", "os.language")
        key = tuple(str(facts.values.get(name, "")) for name in names) if self._same else (str(place),)
        if key not in self._known:
            self._known[key] = choose(self._manifest, facts).payload
        return self._known[key]
