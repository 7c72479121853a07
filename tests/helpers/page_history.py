"""What a company's lines and PCs did lately, so that pages have figures to draw: for `page_company`, once it is served.

A server that starts says of no PC that it is connected, so that is said afterwards.
"""

import math
from pathlib import Path

import msgspec

from bandwidth.core.states import Reason
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from seed_server.fleet import operations
from seed_server.fleet.sites import never_sent
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.minute_rows import SLOT_SECONDS, LineSlot, WatchedSlot, slot_of
from seed_server.store.rows import HarmPauseRow, SeenRow
from tests.helpers.page_company import ROOT, SITES, PageCompany

DAYS = 7
DAY_SLOTS = int(86_400 / SLOT_SECONDS)
LINE = 2_500_000  # bytes per second: 20 Mbit/s
OFFICE_HOURS = range(9, 18)
PROFILE = """name = "Office hours"
time_zone = "Asia/Tokyo"
[[limit]]
name = "nights"
cap = "16 Mbit/s"
[[window]]
name = "office hours"
days = "mon-fri"
from = "09:00"
to = "18:00"
cap = "4 Mbit/s"
[[blackout]]
name = "month's end"
days = "fri"
from = "16:00"
to = "18:00"
"""
FINDINGS = {3: ("disk",), 5: ("mdns", "lan_incoming"), 6: ("clock",), 12: ("install",), 14: ("disk", "memory")}
"""By the number of the PC."""


def live_lately(company: PageCompany, folder: Path) -> None:
    """Have the company's PCs connect, and its lines be used for a week."""
    _set_profile(company, folder)
    now = company.context.clock.now()
    with company.context.database() as database:
        database.save_seen({
            pc: SeenRow(
                SITES[number % 3], f"10.{number % 3}.0.{number + 1}", "p2pdist 0.3", True, now,
                shared_with="10.9.0.7" if number == 20 else "",
            )
            for number, pc in enumerate(company.pcs) if number % 5 != 4 and number != 13
        })  # fmt: skip
        database.save_findings({company.pcs[number]: codes for number, codes in FINDINGS.items()})
        cards = NeighboursSeen(
            ("02:00:00:00:00:01",),
            tuple(NeighbourSeen(f"02:00:00:00:01:{n:02x}", f"10.1.0.{100 + n}") for n in range(3)),
        )
        database.save_neighbours({company.pcs[number]: cards for number in (1, 4, 7)}, now)
        slots = range(slot_of(now) - DAYS * DAY_SLOTS, slot_of(now) - 1)
        database.add_line_minutes(
            [row for slot in slots for place, site in enumerate(SITES[:2]) if (row := _slot(site, place, slot))],
            [WatchedSlot(slot, 1, SLOT_SECONDS) for slot in slots],
        )
        sent = msgspec.structs.replace(
            never_sent("osaka"), at=now, active=True, endpoints=14, fetchers=3, rate=500_000, capacity=LINE,
            configured=True, reason=Reason.CEILING.value, yield_seconds=5_400.0, sending_seconds=90_000.0,
            seconds={Reason.CEILING.value: 64_000.0, Reason.BUSINESS_LOAD.value: 5_400.0, Reason.QUEUE.value: 900.0},
        )  # fmt: skip
        pause = HarmPauseRow("connections of others were slowed down while we sent", now - 120, now + 780, 2, 5)
        paused = msgspec.structs.replace(
            sent, site="leeds", fetchers=0, rate=0, configured=False, learned_at=now - 7_200, harm=pause,
            reason=Reason.HARM_PAUSE.value, seconds={Reason.AT_CAPACITY.value: 71_000.0, Reason.HARM.value: 340.0},
        )  # fmt: skip
        database.save_site_limits([sent, paused])


def _set_profile(company: PageCompany, folder: Path) -> None:
    file = folder / "office-hours.toml"
    file.write_text(PROFILE)
    operations.set_profile(company.context, ROOT, "osaka", file, OfflineKeys(company.context.home.offline_keys, None))


def _slot(site: str, place: int, slot: int) -> LineSlot | None:
    """Return what a line did in these ten minutes: by night we send, by day others do; None: nothing."""
    hour = slot * SLOT_SECONDS / 3_600 % 24
    office = int(hour) in OFFICE_HOURS
    others = int(LINE * SLOT_SECONDS * (0.35 + 0.2 * math.sin(slot + place) if office else 0.03))
    allowed = 0.2 * LINE if office else 0.8 * LINE
    used = allowed * (0.8 + 0.2 * math.cos(slot / (3 + place)))
    if place and slot % DAY_SLOTS < DAY_SLOTS // 4:
        return LineSlot(site, slot, business=others, business_seconds=SLOT_SECONDS)
    cause = Reason.CEILING if office else Reason.BUSINESS_LOAD if slot % 17 == 0 else Reason.AT_CAPACITY
    return LineSlot(
        site, slot, active=SLOT_SECONDS, sent=int(used * SLOT_SECONDS), allowed=allowed * SLOT_SECONDS,
        cause=cause.value, cause_seconds=0.9 * SLOT_SECONDS, business=others, business_seconds=SLOT_SECONDS,
        harm_seconds=12.0 if office and slot % 23 == place else 0.0, queue=0.004 + 0.02 * (slot % 23 == 0),
    )  # fmt: skip
