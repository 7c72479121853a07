"""Words for people about deliveries of webhooks, for tables and pages."""

from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.store.webhook_records import DeliveryRow


def outcome_words(row: DeliveryRow) -> str:
    """Return what the last attempt to send something came to, in words; empty: there was none."""
    return {
        "": "",
        "delivered": tr("the receiver took it ({status})", status=row.status),
        "refused": tr("the receiver answered {status}", status=row.status),
        "redirected": tr("the receiver sends elsewhere ({status}), which is not followed", status=row.status),
        "gone": tr("the receiver says that it is gone (410)"),
        "timeout": tr("no answer in time"),
        "unknown_name": tr("its name was not found"),
        "not_allowed": tr("its name leads into the company's networks or to this machine: see allow in [webhooks]"),
        "unreachable": tr("no connection"),
        "certificate": tr("its certificate is not trusted: see ca_file in [webhooks]"),
        "broken": tr("the answer was broken off, or is no HTTP"),
        "no_secret": tr("its secret cannot be opened: see the server's log"),
    }.get(row.outcome, printable(row.outcome))
