"""Names for the reasons that PCs give most: the same in each language, so that scripts can ask for them.

PCs of several releases send sentences, in English; a code stands for words that are in them.
"""

from collections.abc import Callable, Mapping

from p2pdist.shared.language import in_words

REASON_CODES: Mapping[str, tuple[str, ...]] = {
    "blackout": ("waits: a blackout",),
    "clock": ("clock cannot be believed",),
    "deferred": ("the user has deferred it",),
    "disk_full": ("disk is full", "disk is too full", "quota"),
    "exit_code": ("ended with exit code",),
    "installer_busy": ("another program is installing packages",),
    "not_applicable": ("not applicable",),
    "not_healthy": ("not healthy",),
    "not_rolled_back": ("not rolled back",),
    "packages_missing": ("packages that it depends on are missing",),
    "release": ("waits for its release on this PC",),
    "restart": ("has to be restarted", "restart pending"),
    "window": ("maintenance window",),
    "withdrawn": ("withdrawn",),
}
"""What ``--reason`` takes beside words."""


def named_by(asked: str) -> Callable[[str], bool]:
    """Return what tells whether a reason, in English, is meant by a code, or has these words in it.

    Words may be English ones, or of the language of the screens; case does not matter.
    """
    if (parts := REASON_CODES.get(asked)) is not None:
        return lambda reason: any(part in reason.casefold() for part in map(str.casefold, parts))
    words = asked.casefold()
    if words.isascii():  # a translation says the same names and numbers as the sentence
        return lambda reason: words in reason.casefold()
    return lambda reason: words in reason.casefold() or words in in_words(reason).casefold()
