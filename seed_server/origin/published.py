"""The signed metadata, who is enrolled, and who records inventories, as far as the origin port is told of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from seed_server.deltas.piece_coding import PieceCoding
from seed_server.line.byte_budget import ByteBudgets
from seed_server.origin.connection import OriginConnection
from seed_server.origin.inventories import Inventories
from seed_server.origin.lost_files import LostFiles
from seed_server.origin.paced_news import FindNews

Unknown: TypeAlias = Callable[[OriginConnection, str], str]
"""Takes the connection of a PC that is not enrolled, whose certificate is good, and its host name.

Returns why it is to try again, in words; empty: it is not enrolled.
"""


def nobody_else(_connection: OriginConnection, _hostname: str) -> str:
    """Nobody is taken back."""
    return ""


@dataclass(frozen=True)
class PublishedMetadata:
    """The signed metadata, as far as the origin port tells of it."""

    timestamp_version: int
    """Of the newest, as the port starts."""
    find_news: FindNews
    budgets: ByteBudgets
    """What each endpoint may fetch of it."""
    lost_files: LostFiles | None = None
    """What PCs have of it that is not here; None: nobody is asked."""
    inventories: Inventories | None = None
    """What PCs are and have; None: nobody is asked."""
    unknown: Unknown = nobody_else
    coding: PieceCoding | None = None
    """What codes pieces; None: all go as they are."""
