"""What `apply` says of what differs, for people. Pure."""

from p2pdist.shared.language import tr
from seed_server.automation.apply_changes import AppliedKind, ValueChange


def kind_word(kind: AppliedKind) -> str:
    """Return what people read for a kind."""
    words = {
        "site": tr("site"),
        "profile": tr("profile"),
        "template": tr("template"),
        "person": tr("account"),
        "setting": tr("setting"),
    }
    return words[kind]


def key_words(key: ValueChange) -> str:
    """Return what becomes of one key, in a line."""
    before, after = " ".join(key.before.split()), " ".join(key.after.split())
    name = "" if key.key == "value" else f"{key.key} "  # of a setting that is no table
    if not before:
        return f"{name}{after}"
    return f"{name}{before} → {after or tr('(as by default)')}"
