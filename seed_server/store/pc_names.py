"""What people type for a PC, held to ids and host names: the one place that says which PCs a text may mean. Pure.

Host names are told and not proven: a PC may call itself as it likes, also by the beginning of another one's id. So a
host name never goes before a beginning of an id, and only a whole id, which nobody can choose, names one PC for sure.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import TypeVar

Key = TypeVar("Key")

LEAST_PREFIX_CHARS = 4  # of an id: fewer are soon another PC's too


class Match(IntEnum):
    """How well a text names a PC: the first goes before the others."""

    ID = 0
    """It is its id."""
    NAME = 1
    """It is its host name, in any case, or the beginning of its id."""
    SHORT_NAME = 2
    """It is its host name, where one of both is without its domain."""


class PcName:
    """What somebody has typed for a PC."""

    def __init__(self, text: str) -> None:
        self.text = text.strip().casefold()
        self._label, dot, _ = self.text.partition(".")
        self._whole = bool(dot)

    def match(self, endpoint_id: str, hostname: str) -> Match | None:
        """Return how well it names this PC; None: it does not."""
        if not self.text:
            return None
        if endpoint_id == self.text:
            return Match.ID
        name = hostname.casefold()
        if name == self.text or (len(self.text) >= LEAST_PREFIX_CHARS and endpoint_id.startswith(self.text)):
            return Match.NAME
        label, dot, _ = name.partition(".")
        return Match.SHORT_NAME if label and label == self._label and bool(dot) != self._whole else None

    def best(self, pcs: Iterable[tuple[Key, str, str]]) -> list[Key]:
        """Return those of these PCs, each a key, an id and a host name, that it names best."""
        found: dict[Match, list[Key]] = {}
        for key, endpoint_id, hostname in pcs:
            if (match := self.match(endpoint_id, hostname)) is not None:
                found.setdefault(match, []).append(key)
        return found[min(found)] if found else []

    def all(self, pcs: Iterable[tuple[Key, str, str]]) -> list[Key]:
        """Return all of these PCs that it names at all; where it is an id, that one alone."""
        found = [(key, match) for key, *names in pcs if (match := self.match(*names)) is not None]
        by_id = [key for key, match in found if match is Match.ID]
        return by_id or [key for key, _ in found]
