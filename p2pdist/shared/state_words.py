"""What people read for the states of a patch, on every screen of both command lines: one table."""

from p2pdist.shared.language import tr

STATE_WORDS = {
    "waiting": "waiting",
    "checking": "checking",
    "fetching": "fetching",
    "verifying": "verifying",
    "verified": "verified",
    "not_applicable": "not applicable",
    "installing": "installing",
    "unproven": "unproven",
    "restart_pending": "restart pending",
    "installed": "installed",
    "retrying": "retrying",
    "rolled_back": "rolled back",
    "failed": "failed",
    "withdrawn": "withdrawn",
    "delivered": "delivered",
    "unknown": "unknown",
}
"""State, as it is sent and as `--json` has it → the word for it, in English."""

STATE_STYLES = {
    **dict.fromkeys(("verified", "installed", "delivered"), "green"),
    **dict.fromkeys(("failed", "rolled_back"), "red"),
    **dict.fromkeys(("retrying", "unproven", "restart_pending"), "yellow"),
    **dict.fromkeys(("fetching", "checking", "verifying", "installing"), "cyan"),
}
"""The colour of a state; one that is not here is shown plainly."""


def state_word(state: str) -> str:
    """Return the word for ``state`` in the language of the screens; a state of a newer version as it is spelt."""
    return tr(STATE_WORDS.get(state) or state.replace("_", " "))
