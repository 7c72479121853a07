"""What is run: each pair to a branch with a PC that has the former version, with none, and whole; three in more ways.

Pure.
"""

import hashlib
from collections.abc import Collection
from typing import Literal

import msgspec

from bench.delta.pairs import PAIRS, Pair, pair_named

Way = Literal["coded", "whole", "random"]
"""coded: as ``publish --repack`` stores it. whole: the shipped file, and no PC has the former one, as it was before
there were coded pieces. random: as many bytes as coded, which nothing is made of: what a PC needs without decoding."""
PCS = 8
SMALL, MIDDLE, LARGE = "cryptography", "libreoffice-core", "PyQt6-WebEngine-Qt6"
DEEP = (SMALL, MIDDLE, LARGE)
HARM = "firefox-esr"
"""A new major version: it crosses the line for the longest time of all."""


class Case(msgspec.Struct, frozen=True):
    """One run."""

    pair: str
    holders: int = 1
    """PCs that have the former version."""
    pcs: int = PCS
    way: Way = "coded"
    business: bool = False
    """A call and web pages on the branch's unmanaged PC, first alone, then beside the file."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in tables."""
        words = [self.pair, f"{self.holders} of {self.pcs}"]
        words += [self.way] if self.way != "coded" else []
        return ", ".join([*words, "beside business"] if self.business else words)


ONE_DECODES = Case(MIDDLE, 1, 1)
ONE_DOES_NOT = Case(MIDDLE, 1, 1, "random")
BESIDE_BUSINESS = Case(HARM, business=True)


def without(pair: str) -> Case:
    """Return the run in which no PC has the former version."""
    return Case(pair, 0)


def whole(pair: str) -> Case:
    """Return the run of the shipped file, whole."""
    return Case(pair, 0, PCS, "whole")


def all_cases(pairs: Collection[Pair] = PAIRS) -> list[Case]:
    """Return the cases of these pairs."""
    names = [pair.name for pair in pairs]
    found = [make(name) for make in (Case, without, whole) for name in names]
    found += [Case(name, holders) for name in DEEP for holders in (PCS, PCS // 2)]
    found += [ONE_DECODES, ONE_DOES_NOT, BESIDE_BUSINESS]
    return [case for case in found if case.pair in names]


def fingerprint(case: Case) -> str:
    """Return what changes when the case or its files do: a run of another definition must not count for this one."""
    pair = pair_named(case.pair)
    said = f"{msgspec.json.encode(case)!r} {pair.former.sha256} {pair.new.sha256}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]
