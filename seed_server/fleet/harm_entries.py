"""Pauses of leasing at single sites become entries of the audit log: whoever has a webhook learns of them. Blocking.

Which sites pause is in the database, where the origin part writes it; this looks there now and then. A line that is
harmed again and again has an entry an hour: the log is for ever.
"""

from typing import TYPE_CHECKING

from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_words import moment
from seed_server.store.audit_entry import decode_entry
from seed_server.store.rows import HarmPauseRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

SITE_PAUSED = "pause site"
"""The operation of such an entry; its subject is the site."""
SITE_AGAIN_SECONDS = 3_600.0  # as of a rollout that is stuck
MOST_SITES_AT_ONCE = 20  # of one look: if every site pauses, the rollout does, and its own entry says so
MOST_LOOKED_BACK = 500  # entries of the log, at a start: what is older than these is not told again within an hour


class HarmEntries:
    """The entries of one server."""

    def __init__(self, context: Context, database: "Database") -> None:
        self._context, self._database = context, database
        self._entered: dict[str, float] | None = None
        """By site, when the pause began that had the last entry; None: the log was not looked at."""

    def look(self) -> int:
        """Write the entries that are lacking, those first that pause for longest; return how many. `UserError`."""
        now = self._context.clock.now()
        if self._entered is None:
            self._entered = self._looked_back()
        known = self._entered
        pauses = sorted(self._database.harm_pauses(now).items(), key=lambda one: (one[1].begun_at, one[0]))
        new = [(site, row) for site, row in pauses if _is_new(row, known.get(site))][:MOST_SITES_AT_ONCE]
        for site, row in new:
            self._enter(site, row)
            known[site] = row.begun_at
        # what is over for an hour cannot keep back an entry any more
        self._entered = {
            site: at for site, at in known.items() if site in dict(pauses) or now - at < SITE_AGAIN_SECONDS
        }
        return len(new)

    def _looked_back(self) -> dict[str, float]:
        end = self._database.audit_size()
        found: dict[str, float] = {}
        for _, data in self._database.audit_entries(max(0, end - MOST_LOOKED_BACK), end):
            try:
                entry = decode_entry(data)
                if entry.operation == SITE_PAUSED:
                    found[entry.subject] = float(entry.details.get("begun at", entry.at))
            except (DecodeError, ValueError):  # of a newer release, or damaged: `audit verify` says so
                continue
        return found

    def _enter(self, site: str, row: HarmPauseRow) -> None:
        details = {"begun at": repr(row.begun_at), "until": moment(row.ends_at), "in a row": str(row.in_a_row)}
        deed = Deed(SITE_PAUSED, site, reason=row.reason, details=details)
        with self._context.joined(self._database, lambda: (Actor.engine(), deed)):
            pass


def _is_new(row: HarmPauseRow, entered: float | None) -> bool:
    # the clock may have been set back: then it is another pause
    return entered is None or not 0.0 <= row.begun_at - entered < SITE_AGAIN_SECONDS
