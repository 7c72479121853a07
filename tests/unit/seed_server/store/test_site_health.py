"""`seed_server.store.site_health` on both databases: how many PCs of a site have which trouble."""

from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from seed_server.store.site_health import NO_PCS, Affected, SiteTrouble
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

PCS = [letter * 26 for letter in "abcdef"]


def seen(site: str, *, connected: bool = True, at: float = 100.0, software: str = "p2pdist 2", **more: str) -> SeenRow:
    return SeenRow(site, "10.0.0.1", software, connected, at, **more)


def test_a_sites_pcs_are_counted_and_some_are_named(database: Database) -> None:
    for number, pc in enumerate(PCS):
        database.add_endpoint(pc, f"pc-{number}", 1.0)
    database.save_seen({
        PCS[0]: seen("leeds", claimed_site="oslo"), PCS[1]: seen("leeds", software="p2pdist 1", shared_with="pc-9"),
        PCS[2]: seen("leeds", connected=False, at=5.0), PCS[3]: seen("leeds", connected=False, at=90.0),
        PCS[4]: seen("oslo"), PCS[5]: seen("leeds"),
    })  # fmt: skip
    database.save_refusals({PCS[0]: "It has expired."})
    database.set_denied(PCS[5], True)
    database.save_findings({PCS[0]: ["clock", "vpn"], PCS[1]: ["vpn", "vpn"], PCS[2]: ["clock"], "z" * 26: ["clock"]})
    site = database.site_number("leeds")
    assert site is not None
    health = database.site_health(site, 50.0)
    assert (health.allowed, health.connected, health.newest_seen) == (4, 2, 100.0)
    assert health.silent == Affected(1, ("pc-2",))
    assert health.shared == Affected(1, ("pc-1",))
    assert (health.claiming, health.claimed) == (Affected(1, ("pc-0",)), "oslo")
    assert (health.refusing, health.refuses) == (Affected(1, ("pc-0",)), "It has expired.")
    assert health.releases == {"p2pdist 1": 1, "p2pdist 2": 1}
    assert health.findings == {"clock": Affected(1, ("pc-0",)), "vpn": Affected(2, ("pc-0", "pc-1"))}
    assert database.connected_elsewhere(site) == 1
    assert database.troubled_sites(5) == [SiteTrouble("leeds", 2, 2)]
    database.save_findings({PCS[0]: [], PCS[1]: ["mdns"]})
    assert database.site_health(site, 50.0).findings == {"mdns": Affected(1, ("pc-1",))}
    assert database.troubled_sites(5) == [SiteTrouble("leeds", 2, 1)]
    database.forget_endpoint(PCS[1])
    assert database.troubled_sites(5) == []


def test_a_site_without_pcs(database: Database) -> None:
    health = database.site_health(-1, 50.0)
    assert (health.allowed, health.newest_seen, health.silent, health.findings) == (0, 0.0, NO_PCS, {})
    database.save_findings({})
