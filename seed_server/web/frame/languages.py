"""Which language a page is in: what the reader chose, else what the browser asks for, else the server's. Pure."""

from collections.abc import Iterable

from p2pdist.shared.language import LANGUAGES

MAX_ACCEPTED = 20  # languages of a header; browsers send a handful


def language_for(*chosen: str, accepted: str, default: str) -> str:
    """Return the first of ``chosen`` that there is, else the best of an Accept-Language header, else ``default``."""
    return next((one for one in (*chosen, *_accepted(accepted)) if one in LANGUAGES), default)


def _accepted(header: str) -> Iterable[str]:
    """Return the languages of a header, the most wanted one first, without their countries."""
    wanted = []
    for place, part in enumerate(header.split(",")[:MAX_ACCEPTED]):
        name, _, parameter = part.strip().partition(";")
        weight = _weight(parameter)
        if weight > 0:
            wanted.append((-weight, place, name.partition("-")[0].strip().lower()))
    return [name for _, _, name in sorted(wanted)]


def _weight(parameter: str) -> float:
    text = parameter.strip().removeprefix("q=").strip()
    if not text:
        return 1.0
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 0.0
