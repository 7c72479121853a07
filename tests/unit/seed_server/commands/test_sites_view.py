"""`seed-server sites`: from the database to what people and scripts read."""

import io
import json
from pathlib import Path

import msgspec
from click.testing import CliRunner
from rich.console import Console, Group

from bandwidth.pictures.terminal import LOOKS_KEPT
from seed_server.answers.site_documents import sites_document
from seed_server.commands.main import seed_server
from seed_server.commands.sites_view import CHARTS_SHOWN, SiteCharts, site_tables
from seed_server.fleet.sites import site_statuses
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database, ServedPayload, SiteLimitRow
from seed_server.store.rows import HarmPauseRow

LIMIT = SiteLimitRow(
    site="oslo", at=1.0, active=True, endpoints=8, fetchers=1, rate=2_400_000, capacity=2_500_000, configured=True,
    state="scavenge", reason="policy ceiling: window 'office'", seconds={"ramping up": 1.5, "policy ceiling": 90.0},
    yield_seconds=12.0, sending_seconds=91.5,
)  # fmt: skip
QUIET = SiteLimitRow(
    site="bergen", at=1.0, active=False, endpoints=2, fetchers=0, rate=64_000, capacity=None, configured=False,
    state="learn", reason="learning the line", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
)  # fmt: skip
PATCH = ServedPayload(
    patch_id="office", version="1.0", title="", severity="low", cvss=None, file_name="a.bin", sha256="a" * 64,
    length_bytes=1_000_000, torrent_hash="b" * 64, piece_length_bytes=1 << 18, piece_count=4, sequence=1,
    published_at=0.0,
)  # fmt: skip
SENT = {"oslo": (1_010_000, 1_000_000)}


def test_joins_limit_and_bytes_with_the_active_first() -> None:
    oslo, bergen = sites_document(site_statuses([QUIET, LIMIT], SENT), 1.0, serving=True).sites
    assert (oslo.rate, oslo.origin_ratio, oslo.capacity_is) == (2_400_000, 1.01, "configured")
    assert (bergen.rate, bergen.origin_ratio, bergen.capacity_is) == (0, None, "unknown")


def test_people_read_rate_reason_and_times() -> None:
    console = Console(width=240, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(site_tables(site_statuses([LIMIT, QUIET], SENT), 1.0, serving=True))
    text = console.export_text()
    console.file.close()
    for words in ("19.2 Mbit/s", "20 Mbit/s", "window 'office'", "1 of 8", "1.010", "12", "policy ceiling", "quiet"):
        assert words in text
    assert "last: learning the line" in text, "nothing is sent to bergen now"
    assert "last: policy" not in text


def test_what_a_person_has_to_put_right_at_a_site_is_said() -> None:
    def text(limit: SiteLimitRow, shared: dict[str, list[str]] | None = None) -> str:
        console = Console(width=240, record=True, file=io.StringIO())
        console.print(site_tables(site_statuses([limit, QUIET], {}, shared), 1.0, serving=True))
        return console.export_text()

    assert "full packets do not get through, and smaller ones are used: oslo." in text(
        msgspec.structs.replace(LIMIT, large_packets_lost=True)
    )
    shared = {"oslo": ["a" * 26]}
    assert "several PCs show one identity: oslo; see seed-server endpoints" in text(LIMIT, shared)
    clean = text(LIMIT)
    assert "full packets" not in clean
    assert "identity" not in clean
    oslo, bergen = sites_document(site_statuses([LIMIT, QUIET], {}, shared), 1.0, serving=True).sites
    assert (oslo.shared_identities, bergen.shared_identities) == (("a" * 26,), ())


def test_a_pause_is_said_while_it_lasts_and_remembered_after_it() -> None:
    harm = HarmPauseRow("connections of others were slowed down while we sent", 100.0, 1_000.0, 1, 3)
    sites = site_statuses([msgspec.structs.replace(LIMIT, harm=harm), QUIET], {})

    def text(now: float) -> str:
        console = Console(width=240, record=True, file=io.StringIO())
        console.print(site_tables(sites, now, serving=True))
        return console.export_text()

    assert "because business suffered while we sent: oslo. It goes on by itself." in text(999.0)
    assert "goes on by itself" not in text(1_000.0)
    during, after = (sites_document(sites, now, serving=True).sites for now in (999.0, 1_000.0))
    assert [(site.paused_until, site.pauses) for site in during] == [(1_000.0, 3), (None, 0)]
    assert [(site.paused_until, site.pause_reason) for site in after] == [(None, harm.reason), (None, "")]


def test_what_was_learned_of_a_line_is_dated() -> None:
    def line(now: float, *, learned_at: float | None) -> str:
        limit = msgspec.structs.replace(LIMIT, configured=False, learned_at=learned_at)
        console = Console(width=240, record=True, file=io.StringIO())
        console.print(site_tables(site_statuses([limit], {}), now, serving=True))
        return " ".join(console.export_text().split())

    assert "20 Mbit/s 10 m ago" in line(1_600.0, learned_at=1_000.0)
    assert "20 Mbit/s just now" in line(1_030.0, learned_at=1_000.0)
    assert "20 Mbit/s undated" in line(1_600.0, learned_at=None), "recorded before that was kept"
    document = sites_document(site_statuses([LIMIT, QUIET], {}), 1.0, serving=True)
    assert [site.learned_at for site in document.sites] == [None, None]


def test_who_watches_sees_the_busiest_sites_and_how_they_end() -> None:
    def titles(charts: SiteCharts, *limits: SiteLimitRow) -> list[str]:
        console = Console(width=40, record=True, file=io.StringIO())
        console.print(Group(*charts.of(site_statuses(list(limits), {}))))
        return [line for line in console.export_text().splitlines() if line.isalpha()]

    charts = SiteCharts()
    sites = [msgspec.structs.replace(LIMIT, site=name, rate=1_000 * n) for n, name in enumerate("abcd", 1)]
    assert titles(charts, QUIET, *sites) == ["d", "c", "b"][:CHARTS_SHOWN]
    ended = msgspec.structs.replace(sites[3], active=False)
    assert titles(charts, QUIET, *sites[:3], ended) == ["c", "b", "a"], "the rate that it had last counts no more"
    assert titles(charts, QUIET, sites[0], ended) == ["a", "d"]
    for _ in range(LOOKS_KEPT):
        titles(charts, QUIET, ended)
    assert titles(charts, QUIET, ended) == []


def test_command_prints_what_the_server_wrote(tmp_path: Path) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=0.0)
    run = CliRunner()
    empty = run.invoke(seed_server, ["sites", "--home", str(home.root)])
    assert "Nothing has been sent" in empty.output
    with Database.open(home.database) as database:
        database.save_site_limits([LIMIT, QUIET])
        database.add_patch(PATCH)
        database.add_wan_bytes({("oslo", "b" * 64): 500_000})
    answer = json.loads(run.invoke(seed_server, ["sites", "--json", "--home", str(home.root)]).output)
    assert answer["serving"] is False
    assert [(site["site"], site["origin_ratio"]) for site in answer["sites"]] == [("oslo", 0.5), ("bergen", None)]
    assert answer["sites"][0]["seconds"] == LIMIT.seconds
    read = run.invoke(seed_server, ["sites", "--home", str(home.root)])
    assert read.exit_code == 0
    said, *table = [line for line in read.output.splitlines() if "oslo" in line or "bergen" in line or "÷ file" in line]
    assert "÷ file" in said
    assert all(len(line) <= 80 for line in [said, *table[:2]]), "also in a pipe"
    assert "\noslo: last: policy ceiling: window 'office'" in read.output
