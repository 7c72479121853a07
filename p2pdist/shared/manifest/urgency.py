"""Which patch goes before which: at the server, on the way, and when PCs install. Pure.

Where two are equally urgent, the one that was published first goes first.
"""

EMERGENCY = 0  # waits for no window, so for no other patch either
_BY_SEVERITY = {"critical": 1, "high": 2, "medium": 3, "low": 4}
LEAST_URGENT = max(_BY_SEVERITY.values())


def urgency_of(severity: str, *, emergency: bool) -> int:
    """Return a patch's place before those that are less urgent: the lowest goes first, `EMERGENCY` before all."""
    return EMERGENCY if emergency else _BY_SEVERITY.get(severity, LEAST_URGENT)
