"""What tables say can be read at every width: no sentence in a column of ten characters, no fact cut in the middle.

The widths are all those between the usual ones, too: a table that is right at 80 and at 240 columns was wrong at 120.
"""

import io
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console, RenderableType

from bandwidth.core.quantities import age_text
from p2pdist.commands.patch_commands import plan_view
from p2pdist.commands.status_view import peers_view
from p2pdist.local_api.delivery_answers import Peer, PeersAnswer
from p2pdist.local_api.install_answers import PlanAnswer, PlanPatch
from p2pdist.shared.language import in_words, span, tr, use
from seed_server.commands.endpoints_view import endpoint_table
from seed_server.commands.sites_view import site_tables
from seed_server.commands.token_commands import token_table
from seed_server.fleet.queries import FleetStatus
from seed_server.fleet.sites import site_statuses
from seed_server.store.rows import EndpointRow, SiteLimitRow, TokenRow
from tests.helpers.stored_fleet import endpoints_page

WIDTHS = (80, 90, 100, 110, 118, 120, 132, 140, 150, 160, 180, 200, 240)
ID = "c3q6ydd2fa6fcjhw5mmendpzgi"
WHY = "policy ceiling: window 'office'"
CERTIFICATE = "its certificate was not accepted: it has expired, or its clock is wrong"
HOST = "workstation-with-a-long-name.branch.example.com"
SITE = "auto-192.168.100.0/24"
LIMIT = SiteLimitRow(
    site=SITE, at=1.0, active=True, endpoints=188, fetchers=4, rate=2_400_000, capacity=2_500_000, configured=False,
    state="scavenge", reason=WHY, seconds={WHY: 90_000.0, "ramping up": 1.5, "learning the line": 720.0},
    yield_seconds=12_000.0, sending_seconds=91.5, learned_at=1.0,
)  # fmt: skip
COPIED = EndpointRow(
    endpoint_id=ID, hostname=HOST, enrolled_at=1.0, denied=False, site=SITE, address="192.168.100.254",
    software="p2pdist 1", connected=False, last_seen_at=5.0, shared_with="pc-2 at 10.0.0.2",
)  # fmt: skip
NEIGHBOUR = Peer(
    endpoint_id=ID, address="2001:db8:1234:5678:9abc:def0:1234:5678", port=7691, sources=["mdns", "server"],
    connected=False, reason=CERTIFICATE, bytes_received=999_900_000, bytes_sent=999_900_000,
)  # fmt: skip
PLANNED = PlanPatch(
    id="acme-office-suite", version="2.1.12345", title="Acme Office, all languages", severity="high", state="waiting",
    step="to be installed", reason=CERTIFICATE, again_at=1e9, due_at=1.1e9, emergency=False, deferrals_used=0,
    deferrals_allowed=1, restart_needed=False,
)  # fmt: skip
TOKEN = TokenRow(
    "5f0c6a1b92d4", 1.0, "operator", 3, 1_800_000_000.0, ("ring0", "till"), True, None,
    tuple(f"{letter}{ID[1:]}" for letter in "abcdefgh"),
)  # fmt: skip
FEW = ("site-1", "site-2", "site-3")


def sites() -> RenderableType:
    limits = [replace(LIMIT, site=name) for name in (SITE, *FEW)]
    return site_tables(site_statuses(limits, {}), 1_000.0, serving=True)


def endpoints() -> RenderableType:
    rows = [replace(COPIED, endpoint_id=f"{letter}{ID[1:]}") for letter in "abc"]
    return endpoint_table(endpoints_page(FleetStatus("hq", True, [], rows, [], {})), 125.0)


def peers() -> RenderableType:
    return peers_view(PeersAnswer([NEIGHBOUR, replace(NEIGHBOUR, address="192.168.100.254")]))


def plan() -> RenderableType:
    return plan_view(PlanAnswer("", [PLANNED, PLANNED]))


def tokens() -> RenderableType:
    return token_table([TOKEN, TOKEN], 1_799_996_400.0)


SCREENS = (sites, endpoints, peers, plan, tokens)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    use("en")


def shown(screen: Callable[[], RenderableType], columns: int) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    console.print(screen())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_row_takes_few_lines_at_every_width(screen: Callable[[], RenderableType], language: str) -> None:
    use(language)
    rows = {sites: 4, endpoints: 3, peers: 2, plan: 2, tokens: 2}[screen]
    spoken = {sites: 3, endpoints: 12, peers: 2, plan: 2, tokens: 9}[screen]  # headings, totals, and hints below
    most = {columns: (len(shown(screen, columns)) - spoken) / rows for columns in WIDTHS}
    assert {columns: lines for columns, lines in most.items() if lines > 4} == {}
    assert max(cell_len(line) for columns in WIDTHS for line in shown(screen, columns) if columns == 80) <= 80


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("age", [5.0, 999.0, 86_399.0, 864_000.0])
def test_a_site_has_one_line_of_facts_with_the_age_of_what_was_learned(language: str, age: float) -> None:
    use(language)
    limits = [replace(LIMIT, site=name) for name in (SITE, *FEW)]
    lines = shown(lambda: site_tables(site_statuses(limits, {}), 1.0 + age, serving=True), 80)
    learned = tr("just now") if age < 60 else tr("{duration} ago", duration=in_words(age_text(age)))
    facts = [line for line in lines if "20 Mbit/s" in line]
    assert len(facts) == 4
    assert all(f" {learned} " in line and span(12_000.0) in line for line in facts), (
        "none of it goes on in another line"
    )


@pytest.mark.parametrize(
    ("screen", "said"),
    [
        (sites, f"{WHY} 25 h 00 m"),
        (endpoints, "its identity is shown by pc-2 at 10.0.0.2 too"),
        (peers, CERTIFICATE),
        (plan, CERTIFICATE),
    ],
)
def test_no_word_of_a_reason_is_broken_or_cut(screen: Callable[[], RenderableType], said: str) -> None:
    for columns in WIDTHS:
        words = " ".join(shown(screen, columns)).replace("(", "").split()
        assert not set(said.split()) - set(words), columns
    use("ja")
    for columns in WIDTHS:
        text = "".join("".join(shown(screen, columns)).split())
        if screen is peers or screen is plan:
            assert "".join(in_words(said).split())[:8] in text, columns


def test_a_long_host_does_not_make_all_other_columns_narrow() -> None:
    text = "\n".join(shown(endpoints, 80))
    assert "workst\n" not in text
    assert "auto-192.168.100.0" in text, "of the site at least the network"
    assert "192.168.100.254" in text
    assert f"a{ID[1:9]}" in text, "commands take the beginning of an id"
