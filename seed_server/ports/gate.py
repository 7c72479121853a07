"""How many connections the origin port may hold, unproven ones too. No I/O but the process's limit of open files."""

import contextlib
from collections import Counter
from collections.abc import Iterator

MAX_CONNECTIONS = 20_000  # ten thousand endpoints with two each
MAX_PER_ADDRESS = 2_000  # a branch of a thousand PCs behind one address
MAX_UNPROVEN = 1_000  # in their handshake: memory and processor time that strangers can take
MAX_UNPROVEN_PER_ADDRESS = 200  # a branch of a hundred PCs behind one address after a power cut
RESERVED_FILES = 1_500  # for the web port, payloads, the database; half of all where the limit is low

_WHY_FULL = "too many connections"


class Gate:
    """Counts connections; one that is over a cap is turned away before any work is done for it."""

    def __init__(self, max_connections: int = MAX_CONNECTIONS, *, max_per_address: int = MAX_PER_ADDRESS) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._by_address: Counter[str] = Counter()
        self._unproven: Counter[str] = Counter()

    def full(self, address: str) -> str:
        """Return why a new connection from ``address`` must be turned away; empty when it may come in."""
        if self._by_address.total() >= self._max_connections or self._unproven.total() >= MAX_UNPROVEN:
            return _WHY_FULL
        if self._by_address[address] >= self._max_per_address or self._unproven[address] >= MAX_UNPROVEN_PER_ADDRESS:
            return f"{_WHY_FULL} from {address}"
        return ""

    @contextlib.contextmanager
    def entered(self, address: str) -> Iterator[None]:
        """Count a connection while it is there."""
        with _counted(self._by_address, address):
            yield

    @contextlib.contextmanager
    def unproven(self, address: str) -> Iterator[None]:
        """Count a connection until it has shown its certificate and sent its hello."""
        with _counted(self._unproven, address):
            yield


@contextlib.contextmanager
def _counted(counter: Counter[str], address: str) -> Iterator[None]:
    counter[address] += 1
    try:
        yield
    finally:
        counter[address] -= 1
        if not counter[address]:
            del counter[address]


def allowed_connections() -> int:
    """Raise this process's limit of open files as far as it may, and return how many connections fit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, soft - min(RESERVED_FILES, soft // 2))
