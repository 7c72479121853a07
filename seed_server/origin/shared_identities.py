"""Notices that several PCs show one identity, and lets one of them at a time hold the connection. Pure.

Each run of a daemon draws a number, its instance, and says it whenever it connects. A PC that reconnects, changes its
address, was asleep, or left a connection behind that nobody has closed has the same instance as before. One that has
been restarted has a new one, and the old one never comes back. Where an instance comes back after another one had
taken its place, both live: the disk of an enrolled PC was copied, or its key was stolen, which looks the same.

While that lasts, the copies would end each other's connections for ever, and each would fetch every file for itself.
So one holds the connection, and the others are refused.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.fields import MAX_COPIES

RETURNS = 2  # once may be a virtual machine that was put back to a snapshot of its memory
RETURN_SECONDS = 600.0  # copies that are on at the same time come back within a minute, their longest pause
HOLDER_SECONDS = 90.0  # after it has left, the holder may come back before another PC takes its place
FORGET_SECONDS = 300.0  # copies that are refused come every minute; after so long without any, it is over


@dataclass(frozen=True, slots=True)
class Caller:
    """A PC that connects; hostname and instance are what it says."""

    instance: str
    hostname: str
    address: str


@dataclass(slots=True)
class _Uses:
    """Who has shown one identity lately."""

    holder: Caller
    """Connected, or the last one that was."""
    before: dict[str, tuple[Caller, float]] = field(default_factory=dict)
    """Other instances: who they were, and when they came or went last; at most `MAX_COPIES`."""
    returned_at: list[float] = field(default_factory=list)
    """When one of these came back."""
    left_at: float | None = None
    """When the holder's connection ended; None: it is connected."""

    def note(self, caller: Caller, now: float) -> None:
        """Keep that another instance than the holder's was here."""
        self.before.pop(caller.instance, None)
        self.before[caller.instance] = (caller, now)
        if len(self.before) > MAX_COPIES:
            del self.before[next(iter(self.before))]

    def forget(self, now: float, after_seconds: float) -> None:
        """Forget what is too old to say anything."""
        self.before = {name: seen for name, seen in self.before.items() if now - seen[1] < after_seconds}
        self.returned_at = [at for at in self.returned_at if now - at < RETURN_SECONDS]


class SharedIdentities:
    """Decides who of several PCs with one identity may connect; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._uses: dict[EndpointId, _Uses] = {}
        """At most all enrolled endpoints: no others get as far as this."""
        self._shared: set[EndpointId] = set()

    def may_connect(self, endpoint: EndpointId, caller: Caller, now: float) -> bool:
        """Whether ``caller`` may connect now, in place of whoever is connected with the same identity."""
        uses = self._uses.get(endpoint)
        if uses is None:
            self._uses[endpoint] = _Uses(caller)
            return True
        if caller.instance == uses.holder.instance:
            uses.holder = caller
            return True
        self._note_return(endpoint, uses, caller, now)
        if endpoint in self._shared and (uses.left_at is None or now - uses.left_at < HOLDER_SECONDS):
            uses.note(caller, now)
            return False
        uses.before.pop(caller.instance, None)
        uses.note(uses.holder, now)
        uses.holder = caller
        return True

    def _note_return(self, endpoint: EndpointId, uses: _Uses, caller: Caller, now: float) -> None:
        uses.forget(now, RETURN_SECONDS)
        if caller.instance in uses.before:
            uses.returned_at.append(now)
            if len(uses.returned_at) >= RETURNS:
                self._shared.add(endpoint)
                uses.returned_at.clear()

    def joined(self, endpoint: EndpointId) -> None:
        """Note that the one that may connect is connected."""
        self._uses[endpoint].left_at = None

    def left(self, endpoint: EndpointId, instance: str, now: float) -> None:
        """Note that the connection of ``instance`` has ended."""
        uses = self._uses.get(endpoint)
        if uses is not None and uses.holder.instance == instance:
            uses.left_at = now

    def others(self, endpoint: EndpointId, instance: str = "") -> tuple[Caller, ...]:
        """Return who shows the identity of ``instance`` (by default: of the holder) too, the last one first.

        Empty unless several PCs share it now.
        """
        if endpoint not in self._shared:
            return ()
        one = instance or self._uses[endpoint].holder.instance
        return tuple(caller for caller in self.everybody(endpoint) if caller.instance != one)

    def everybody(self, endpoint: EndpointId) -> tuple[Caller, ...]:
        """Return who has shown an identity lately: first the holder, then the others, the last one first."""
        uses = self._uses[endpoint]
        return (uses.holder, *(caller for caller, _ in reversed(uses.before.values())))

    def take_ended(self, now: float) -> AbstractSet[EndpointId]:
        """Return the identities that are no longer shared since the last call: no other PC has shown them for long."""
        for endpoint in self._shared:
            self._uses[endpoint].forget(now, FORGET_SECONDS)
        over = {endpoint for endpoint in self._shared if not self._uses[endpoint].before}
        self._shared -= over
        return over
