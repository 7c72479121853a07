"""The addresses from which enrolled endpoints have come: what strangers cannot take is kept for them. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from seed_server.ports.address_block import address_block

MAX_KNOWN_ADDRESSES = 50_000  # five for each of ten thousand endpoints; the longest unseen are forgotten first


class KnownAddresses:
    """Remembers the address blocks that were last noted."""

    def __init__(self, addresses: Iterable[str] = (), *, max_known: int = MAX_KNOWN_ADDRESSES) -> None:
        self._max_known = max_known
        self.on_new: Callable[[str], None] = lambda _: None
        """Is told of each address that is noted and was not known: the other port keeps places for it too."""
        self._blocks: OrderedDict[str, None] = OrderedDict()
        for address in addresses:
            self.note(address)

    def note(self, address: str) -> None:
        """Remember that an enrolled endpoint has shown its certificate from ``address``."""
        block = address_block(address)
        if block not in self._blocks:
            self.on_new(address)
        self._blocks[block] = None
        self._blocks.move_to_end(block)
        while len(self._blocks) > self._max_known:
            self._blocks.popitem(last=False)

    def __contains__(self, address: str) -> bool:
        return address_block(address) in self._blocks
