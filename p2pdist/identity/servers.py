"""Where the server is looked for: its addresses, and which of them is used or tried next. Pure.

An address is not trust: whoever answers there has to show a certificate of the company's authority that names it.
"""

from collections.abc import Sequence

from p2pdist.shared.server_address import ServerAddress


class AddressTurns:
    """One of several addresses is used until it fails, then the next one in order: none is left out for good.

    How soon the next attempt comes is another's matter: the order does not shorten the wait.
    """

    def __init__(self, order: Sequence[ServerAddress]) -> None:
        """``order`` has at least one."""
        self.order = tuple(order)
        self.current = self.order[0]
        """What is used now, or tried next."""
        self.problems: dict[ServerAddress, str] = {}
        """Why the last attempt at each failed, in words; none for those that worked or were not tried."""

    def worked(self, address: ServerAddress) -> None:
        """Note that the server answers at ``address``: it is used until it fails."""
        self.problems.pop(address, None)
        if address in self.order:
            self.current = address

    def failed(self, address: ServerAddress, why: str) -> None:
        """Note that nobody answers at ``address``, or somebody else does; another one may have come before."""
        if address not in self.order:
            return
        self.problems[address] = why
        if address == self.current:
            self.current = self.order[(self.order.index(address) + 1) % len(self.order)]

    def use(self, order: Sequence[ServerAddress]) -> None:
        """Use these from now on, beginning with the first; ``order`` has at least one."""
        self.order, self.current = tuple(order), order[0]
        self.problems = {address: why for address, why in self.problems.items() if address in self.order}


class Servers:
    """The addresses of this PC's server; the origin port and the web port are looked for each by itself."""

    def __init__(self, own: ServerAddress) -> None:
        """``own``: that of the identity."""
        self.own = own
        self.origin, self.web = AddressTurns([own]), AddressTurns([own])

    def set_own(self, own: ServerAddress) -> None:
        """Look at ``own`` first from now on: somebody has said so on this PC."""
        before = [address for address in self.origin.order if address not in (own, self.own)]
        self.own = own
        for turns in (self.origin, self.web):
            turns.use([own, *before])
