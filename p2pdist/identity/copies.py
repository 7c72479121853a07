"""What people are told on a PC whose identity other PCs show too. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.wire.messages import OtherPc


@dataclass(frozen=True, slots=True)
class Copies:
    """Who else shows this PC's identity, as the server said last."""

    others: tuple[OtherPc, ...] = ()
    refused: bool = False
    """Whether the server serves one of them and not this PC."""

    def words(self, home: str) -> str:
        """Return what is wrong and what cures it in this home; empty: nothing is wrong."""
        if not self.others and not self.refused:
            return ""
        names = _listed([f"{other.hostname} ({other.address})" for other in self.others]) or "another PC"
        served = (
            "While that lasts, the server serves one of them at a time, and now not this one."
            if self.refused
            else "While that lasts, the server serves one of them at a time, now this one."
        )
        return (
            f"This PC's identity is used by {names} too: a disk was copied after it was enrolled, or the key was "
            f"stolen. {served} On each of these PCs but one, stop the daemon and run, with a new token: "
            f"p2pdist enrol --home {shlex.quote(home)} --force --new-key"
        )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
