"""Which of this PC's users may see what the daemon does, and put patches off: members of a group, who sits at the PC.

Nobody else; root's own socket is another (`socket`). What takes time (the group's number, polkit) is asked in a
thread or another process, and an answer that does not come is a no.
"""

import ctypes
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass

import trio

from p2pdist.local_api.peer import LocalPeer
from p2pdist.local_api.polkit import Polkit, PolkitAnswer

GROUP_LOOK_SECONDS = 60.0  # between looks for the group's number: an administrator may make it while we run


class UsersGroup:
    """The group whose members are users of p2pdist; its number is looked up beside, as that may hang (LDAP)."""

    def __init__(
        self,
        name: str,
        find: Callable[[str], int | None] | None = None,
        *,
        look_seconds: float = GROUP_LOOK_SECONDS,
    ) -> None:
        """``name``: of the group; empty: there is none. ``find`` returns a group's number; None: no such group."""
        self.name = name
        self._find = find or _number_of
        self._look_seconds = look_seconds
        self.number: int | None = None
        """As it was last seen; None: there is no such group, or it is not known yet."""

    async def run(self) -> None:
        """Follow the group's number until cancelled."""
        while self.name:
            self.number = await trio.to_thread.run_sync(self._find, self.name, abandon_on_cancel=True)
            await trio.sleep(self._look_seconds)


def _number_of(name: str) -> int | None:
    import grp  # Windows lacks it

    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, OSError):
        return None


@functools.cache
def _libsystemd() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libsystemd.so.0")
        library.sd_uid_get_seats.argtypes = (ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p)
    except (OSError, AttributeError):
        return None
    return library


def sits_at_this_pc(uid: int) -> bool:
    """Return whether logind has an active session of this user at a seat: a screen and a keyboard of this PC.

    It reads a file of logind's, and waits for nobody.
    """
    library = _libsystemd()
    return library is not None and int(library.sd_uid_get_seats(uid, 1, None)) > 0


@dataclass(frozen=True)
class UsersRights:
    """Decides for each request, by what the kernel says of who has connected."""

    group: UsersGroup
    at_seat: Callable[[int], bool] | None = sits_at_this_pc
    """Whether a user sits at this PC; None: that gives no right."""
    polkit: Polkit | None = None
    """Decides instead of `at_seat` where it is there; None: it is not."""

    async def refusal(self, peer: LocalPeer) -> str:
        """Return why ``peer`` may not be answered, and who can change that; empty: it may."""
        if peer.uid in (0, os.geteuid()):
            return ""
        number = self.group.number
        if number is not None and peer.groups is not None and number in peer.groups:
            return ""
        polkit = PolkitAnswer.NOT_THERE
        if self.at_seat is not None and self.polkit is not None:
            polkit = await self.polkit.decides(peer)
        if polkit is PolkitAnswer.YES:
            return ""
        if polkit is PolkitAnswer.NOT_THERE and self.at_seat is not None and self.at_seat(peer.uid):
            return ""
        return self._why(peer, polkit)

    def _why(self, peer: LocalPeer, polkit: PolkitAnswer) -> str:
        name = self.group.name
        if polkit is PolkitAnswer.SILENT:
            return "polkit, which says who sits at this PC, does not answer. Ask again, or tell your administrator."
        if not name:
            return (
                "Only who sits at this PC may ask p2pdist. "
                "Ask your administrator to name a group: users_group in config.toml."
            )
        if self.group.number is None:
            return (
                f"You may not ask p2pdist: this PC has no group {name}, whose members may. "
                "Ask your administrator to make it, and to add you."
            )
        if peer.groups is None:
            return f"You may not ask p2pdist: you are in too many groups to tell whether {name} is one of them."
        return f"You may not ask p2pdist. Ask your administrator to add you to the group {name}, and log in again."
