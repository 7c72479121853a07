"""Where the server is looked for: its addresses, and which of them is used or tried next. Pure.

An address is not trust: whoever answers there has to show a certificate of the company's authority that names it.
"""

from collections.abc import Sequence

from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.server_address import ServerAddress, is_loopback


class AddressTurns:
    """One of several addresses is used until it fails, then the next one in order: none is left out for good.

    The wait between attempts is between rounds: within one, all are tried, each once.
    """

    def __init__(self, order: Sequence[ServerAddress], answered: ServerAddress | None = None) -> None:
        """``order`` has at least one. ``answered``: where the server answered last, if that is known."""
        self.order = self._given = tuple(order)
        self._answered = answered
        """A resort until the server answers elsewhere, also where it is not among those that are given any more."""
        self.current = self.order[0]
        """What is used now, or tried next."""
        self.problems: dict[ServerAddress, str] = {}
        """Why the last attempt at each failed, in words; none for those that worked or were not tried."""
        self._round: set[ServerAddress] = set()
        """Those that failed in the round that is under way."""
        self._more_now = False

    def worked(self, address: ServerAddress) -> None:
        """Note that the server answers at ``address``: it is used until it fails."""
        self.problems.pop(address, None)
        self._new_round()
        if address in self.order:
            self.current = self._answered = address
            self._set_order()

    def failed(self, address: ServerAddress, why: str) -> None:
        """Note that nobody answers at ``address``, or somebody else does; another one may have come before."""
        if address not in self.order:
            return
        self.problems[address] = why
        if address == self.current:
            self.current = self.order[(self.order.index(address) + 1) % len(self.order)]
            self._round.add(address)
            self._more_now = self.current not in self._round
            if not self._more_now:
                self._new_round()

    def more_now(self) -> bool:
        """Return whether to try `current` without a wait: this round has not come to it. True once for each failure."""
        more, self._more_now = self._more_now, False
        return more

    def use(self, order: Sequence[ServerAddress], first: ServerAddress) -> None:
        """Use these from now on, beginning with ``first``, which is one of them."""
        self._given, self.current = tuple(order), first
        self._set_order()
        self._new_round()

    def _set_order(self) -> None:
        resort = () if self._answered is None or self._answered in self._given else (self._answered,)
        self.order = (*self._given, *resort)
        self.problems = {address: why for address, why in self.problems.items() if address in self.order}

    def _new_round(self) -> None:
        self._round, self._more_now = set(), False


class Servers:
    """The addresses of this PC's server; the origin port and the web port are looked for each by itself."""

    def __init__(self, own: ServerAddress, last: ServerAddress | None = None) -> None:
        """``own``: that of the identity. ``last``: where the server answered last, if that is known."""
        self.own = own
        self.number = 0
        """Of the signed list that is in force here; 0: none is."""
        self._listed: tuple[ServerAddress, ...] = ()
        order = (own,) if last in (None, own) else (last, own)
        self.origin, self.web = AddressTurns(order, last), AddressTurns(order, last)

    def has(self, servers: ServerList) -> bool:
        """Whether this very list is in force here: a server that was restored may have given its number twice."""
        return (servers.number, self._usable(servers)) == (self.number, self._listed)

    def signed(self, servers: ServerList) -> bool:
        """Use the signed list that is in force; return whether to look elsewhere at once.

        That is so where an address is used that is not listed any more: it is about to go. The identity's own address
        stays a resort, as does the one where the server answered last: a list may be signed too early, or be wrong.
        """
        if self.has(servers):
            return False
        self.number, self._listed = servers.number, self._usable(servers)
        listed = self._listed
        order = listed if self.own in listed else (*listed, self.own)
        before = self.origin.current
        for turns in (self.origin, self.web):
            turns.use(order, turns.current if turns.current in (listed or order) else order[0])
        return self.origin.current != before

    def _usable(self, servers: ServerList) -> tuple[ServerAddress, ...]:
        """Return what is listed, without loopback addresses unless the PC has enrolled at one: they lead to itself."""
        if is_loopback(self.own.host):
            return servers.addresses
        return tuple(address for address in servers.addresses if not is_loopback(address.host))

    def set_own(self, own: ServerAddress) -> None:
        """Look at ``own`` first from now on, whatever is signed: somebody has said so on this PC."""
        self.own = own
        order = (own, *(address for address in self._listed if address != own))
        for turns in (self.origin, self.web):
            turns.use(order, own)
