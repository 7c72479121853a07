"""What is printed of sites, made of what `seed_server.fleet` answers."""

from collections.abc import Sequence

from seed_server.answers.fleet import SiteDocument, SitesDocument
from seed_server.answers.status_documents import problem_documents
from seed_server.fleet.problems import FleetProblem
from seed_server.fleet.sites import SiteStatus


def sites_document(
    sites: Sequence[SiteStatus], now: float, *, serving: bool, problems: Sequence[FleetProblem] = ()
) -> SitesDocument:
    """Return what ``--json`` prints."""
    documents = tuple(site_document(site, now) for site in sites)
    return SitesDocument(serving=serving, sites=documents, problems=problem_documents(problems))


def site_document(site: SiteStatus, now: float) -> SiteDocument:
    """Return what is printed of one site."""
    limit, harm = site.limit, site.limit.harm
    return SiteDocument(
        site=limit.site,
        active=limit.active,
        endpoints=limit.endpoints,
        fetchers=limit.fetchers,
        rate=limit.rate if limit.active else 0,
        rate_bytes_per_second=limit.rate if limit.active else 0,
        capacity=limit.capacity,
        capacity_bytes_per_second=limit.capacity,
        capacity_is="configured" if limit.configured else "learned" if limit.capacity else "unknown",
        learned_at=limit.learned_at,
        state=limit.state,
        reason=limit.reason,
        large_packets_lost=limit.large_packets_lost,
        shared_identities=site.shared_identities,
        paused_until=harm.ends_at if harm is not None and harm.ends_at > now else None,
        pause_reason="" if harm is None else harm.reason,
        pauses=0 if harm is None else harm.pauses,
        seconds=limit.seconds,
        yield_seconds=limit.yield_seconds,
        sending_seconds=limit.sending_seconds,
        wan_bytes=site.wan_bytes,
        file_bytes=site.file_bytes,
        origin_ratio=None if site.origin_ratio is None else round(site.origin_ratio, 4),
        at=limit.at,
    )
