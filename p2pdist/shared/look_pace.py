"""How far apart looks are that go through all patches: else those at hundreds cost more than what they find. Pure."""

LOOK_SECONDS_PER_PATCH = 0.002


def look_pause_seconds(patches: int) -> float:
    """Return the time from one look at so many patches to the next: what comes meanwhile is found together."""
    return LOOK_SECONDS_PER_PATCH * patches
