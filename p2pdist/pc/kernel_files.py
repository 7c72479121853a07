"""Files in which Linux tells one thing each, below ``/sys``: a word, a number, some lines."""

from pathlib import Path


def text_in(path: Path, max_chars: int) -> str:
    """Return what is in a file, at most ``max_chars`` of it; "" where it cannot be read."""
    try:
        with path.open() as file:
            return file.read(max_chars)
    except (OSError, ValueError):  # a card that is down answers EINVAL, a battery that was just taken out ENODEV
        return ""


def number_in(path: Path, max_chars: int) -> int | None:
    """Return the whole number in a file; None: there is none."""
    try:
        return int(text_in(path, max_chars))
    except ValueError:
        return None
