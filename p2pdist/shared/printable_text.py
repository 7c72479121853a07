"""Makes texts from other machines safe to show: only visible signs stay as they are. Pure.

A terminal obeys control characters (C0, C1, ESC), and draws in another order after Unicode's bidirectional ones.
`str.isprintable` is false for all of these, for line breaks, and for lone surrogates.
"""


def printable(text: str) -> str:
    """Return ``text`` as one line of visible signs and spaces: "?" stands for every other character."""
    return text if text.isprintable() else "".join(ch if ch.isprintable() else "?" for ch in text)


def printable_lines(text: str) -> str:
    """Return ``text`` as `printable` does, but with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def escaped(text: str) -> str:
    """Return ``text`` as one line that loses nothing, for logs: other characters become Python's escapes."""
    return text if text.isprintable() else "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text)
