"""How many bytes each endpoint may fetch from the web port over time. Pure."""

from collections import OrderedDict
from collections.abc import Callable

from bandwidth.core.token_bucket import TokenBucket
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId

BUDGET_BYTES = 256 << 20  # a first refresh of the largest catalogue: 2,000 patches with 100 kB of documents each
BUDGET_RATE = BytesPerSecond(16_000)  # earned back: 1.4 GB a day, while a refresh that finds news is a few 10 kB
REQUEST_COST_BYTES = 4 << 10  # of the budget, for the work of any request: 65,000 at once, then four a second
RANK_BYTES = 8 << 20  # lately had: a refresh of a large catalogue has the same rank as one that finds nothing
MAX_BUDGETS = 50_000  # endpoints of the largest fleet, with room; one that is forgotten begins anew


class ByteBudgets:
    """A budget for each endpoint; ``now`` is any clock in seconds."""

    def __init__(
        self,
        *,
        budget_bytes: int = BUDGET_BYTES,
        rate: BytesPerSecond = BUDGET_RATE,
        max_budgets: int = MAX_BUDGETS,
        on_spent: Callable[[EndpointId, int], None] = lambda _endpoint, _count: None,
    ) -> None:
        """``on_spent`` is told of what `spend` has taken: the other port keeps budgets of its own."""
        self._on_spent = on_spent
        self._budget_bytes = budget_bytes
        self._rate = rate
        self._max_budgets = max_budgets
        self._buckets: OrderedDict[EndpointId, TokenBucket] = OrderedDict()

    def spend(self, endpoint: EndpointId, count: int, now: float) -> bool:
        """Spend ``count`` bytes of the budget of ``endpoint``, and return whether it had them."""
        spent = self._bucket(endpoint, now).consume(count, int(now * 1e9))
        if spent:
            self._on_spent(endpoint, count)
        return spent

    def has(self, endpoint: EndpointId, count: int, now: float) -> bool:
        """Whether ``endpoint`` could spend ``count`` bytes."""
        return self._bucket(endpoint, now).level_bytes(int(now * 1e9)) >= count

    def charge(self, endpoint: EndpointId, count: int, now: float) -> None:
        """Take what ``endpoint`` has spent at the other port, as far as it is there."""
        bucket = self._bucket(endpoint, now)
        bucket.consume(min(count, bucket.level_bytes(int(now * 1e9))), int(now * 1e9))

    def rank(self, endpoint: EndpointId, now: float) -> int:
        """Return 0 for an endpoint that has had little lately, and more for one that has had much."""
        used = self._budget_bytes - self._bucket(endpoint, now).level_bytes(int(now * 1e9))
        return used // RANK_BYTES

    def _bucket(self, endpoint: EndpointId, now: float) -> TokenBucket:
        bucket = self._buckets.get(endpoint)
        if bucket is None:
            bucket = TokenBucket(self._rate, burst_bytes=self._budget_bytes, now_ns=int(now * 1e9))
            self._buckets[endpoint] = bucket
        self._buckets.move_to_end(endpoint)
        while len(self._buckets) > self._max_budgets:
            self._buckets.popitem(last=False)
        return bucket
