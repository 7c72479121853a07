"""What a plan knows of former versions: which sites have one, and how little of the new one crosses the line then.

It goes by what was predicted when the patch was published; where nothing was, by whole files. Blocking.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import InvalidIdentifierError, PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload
from seed_server.deltas.prediction import Prediction, kept_prediction
from seed_server.fleet.context import Context

if TYPE_CHECKING:
    from seed_server.store.database import Database


class FormerVersions:
    """The former versions that a patch was compared with, and the PCs that have said that they have one's file."""

    def __init__(self, context: Context, database: "Database", manifest: Manifest) -> None:
        found = {payload.sha256: kept_prediction(context.home.coded, payload.sha256) for payload in manifest.payloads}
        self._predictions = {sha256: one for sha256, one in found.items() if one is not None}
        patches = {base.patch for one in self._predictions.values() for base in one.bases}
        self._holders = {patch: _holders(database, patch) for patch in patches}

    def at(self, numbers: Iterable[int]) -> "BasesThere":
        """Return what the PCs with these numbers, which are one site's, have of them."""
        members = set(numbers)
        there = {patch for patch, holders in self._holders.items() if not holders.isdisjoint(members)}
        return BasesThere(self._predictions, frozenset(there))


class BasesThere:
    """The former versions at one site; it notes which are made use of.

    ``smaller``: something was reckoned with fewer bytes than its file has, which only release 0.3 takes.
    """

    def __init__(self, predictions: Mapping[str, Prediction], there: frozenset[str]) -> None:
        self._predictions, self._there = predictions, there
        self._used: dict[str, None] = {}
        self.smaller = False

    def line_bytes(self, payload: Payload) -> int:
        """Return what crosses the line for a payload of which the site has nothing."""
        prediction = self._predictions.get(payload.sha256)
        if prediction is None or prediction.length_bytes != payload.length_bytes:
            return payload.length_bytes
        least = prediction.alone.likely
        base = next((one for one in prediction.bases if one.patch in self._there), None)  # the least comes first
        if base is not None and base.expected.likely < least:
            self._used[base.patch] = None
            least = base.expected.likely
        self.smaller = self.smaller or least < payload.length_bytes
        return min(least, payload.length_bytes)

    def used(self) -> tuple[str, ...]:
        """Return the former versions that were made use of, ID@VERSION."""
        return tuple(self._used)


def _holders(database: "Database", patch: str) -> frozenset[int]:
    """Return the numbers of the PCs that have said that the file of a patch is there and proven."""
    try:
        number = database.patch_number(PatchRef.parse(patch))
    except InvalidIdentifierError:
        return frozenset()
    if number is None:
        return frozenset()
    said = database.said_on(number, failures_since=0)
    return frozenset(pc for (state, _), pcs in said.items() if state == "verified" for pc in pcs)
