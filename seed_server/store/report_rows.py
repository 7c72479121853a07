"""The rows of reports: how many PCs are done with patches by when, who lacks them, what people do about it. Pure.

Times are seconds since 1970.
"""

from typing import NamedTuple

from p2pdist.shared.wire.codec import Record


class DoneCount(NamedTuple):
    """How many PCs are done with a patch."""

    in_time: int
    """By the beginning of the hour that was asked for."""
    all: int


class SaidCount(NamedTuple):
    """How many PCs have said anything of a patch."""

    all: int
    not_for_it: int
    """Of these, it is not for so many, whoever has a newer version left out."""


class LackingPc(Record, frozen=True):
    """A PC that lacks a patch, or of which it is not known that it does not."""

    endpoint: int
    """Its number in the tables."""
    endpoint_id: str
    hostname: str
    site: str
    enrolled_at: float
    connected: bool
    last_seen_at: float
    """0.0: it never was."""
    denied: bool
    pending: bool
    """It is denied only because nobody has allowed it yet."""
    state: str = ""
    """Of the file; empty: it has never said a word of the patch."""
    install: str = ""
    install_reason: str = ""
    error: str = ""
    reported_at: float = 0.0
    follow_up: str = ""
    """What somebody does about it; empty: nobody has said so."""
    note: str = ""
    set_by: str = ""
    set_at: float = 0.0


class LackingFilter(Record, frozen=True):
    """Which of the PCs that lack a patch are meant; what is None tells none apart."""

    spoken: bool | None = None
    """Whether they have ever said a word of it."""
    denied: bool | None = None
    seen_until: float | None = None
    """Those that were seen then for the last time, or before."""
    connected: bool | None = None


ALL_LACKING = LackingFilter()


class FollowUpRow(Record, frozen=True):
    """What is done about one PC that lacks one patch; columns as in the table `follow_ups`."""

    set_at: float
    endpoint: int
    patch: int
    state: str
    note: str
    set_by: str
    """`Actor.who`."""
