"""What the operator should know of webhooks: receivers that are gone or fail, and what was given up. Blocking."""

from typing import TYPE_CHECKING

from seed_server.fleet.rollout_words import moment
from seed_server.store.webhook_records import DeliveryCounts

if TYPE_CHECKING:
    from seed_server.store.database import Database

FAILING_TOLD_AFTER_SECONDS = 3_600.0  # a receiver that restarts is nobody's trouble


def webhook_problems(database: "Database", now: float) -> list[tuple[str, str]]:
    """Return what is wrong with each webhook, and what mends it. None of it harms the fleet."""
    found = []
    webhooks = database.webhooks()
    counts = database.delivery_counts() if webhooks else {}
    for row in webhooks:
        name, of = row.name, counts.get(row.number, DeliveryCounts())
        if row.stopped == "gone":
            text = f"The receiver of the webhook {name} has said that it is gone, so it is sent nothing more."
            found.append((text, f"seed-server webhook resume {name}"))
        elif not row.stopped and row.failing_since and now - row.failing_since >= FAILING_TOLD_AFTER_SECONDS:
            text = f"The webhook {name} has failed since {moment(row.failing_since)}; {of.waiting} events wait."
            found.append((text, f"seed-server webhook deliveries {name}"))
        if of.dead:
            text = f"{of.dead} events for the webhook {name} were given up."
            found.append((text, f"seed-server webhook redeliver {name} --dead"))
    return found
