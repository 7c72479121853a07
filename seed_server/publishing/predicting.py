"""What a patch is expected to take of each site's line, from the versions that are published before it. Blocking."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef, parse_sha256
from p2pdist.shared.manifest.documents import Manifest
from seed_server.deltas.prediction import FormerPayload, Prediction, Predictions
from seed_server.publishing.plan import choose_piece_length
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore


class NewPayload(Protocol):
    """A payload, of a manifest or of the database."""

    @property
    def sha256(self) -> str:
        """Hexadecimal."""

    @property
    def length_bytes(self) -> int:
        """Of its file."""

    @property
    def platform(self) -> str:
        """What a PC chooses it by, with the next two."""

    @property
    def arch(self) -> str:
        """As above."""

    @property
    def language(self) -> str:
        """As above."""


def predict_payloads(
    home: ServerHome, payloads: Iterable[NewPayload], before: Sequence[Manifest], clock: Clock
) -> tuple[Prediction | None, ...]:
    """Return what is expected of each payload, which is in the content store, and keep it for plans.

    ``before``: the publications that PCs may have, the newest first. None: its file cannot be read.
    """
    predictions = Predictions(ContentStore(home.content), home.coded, clock)
    return tuple(
        predictions.predict(
            parse_sha256(one.sha256),
            one.length_bytes,
            choose_piece_length(one.length_bytes),
            [FormerPayload(str(manifest.ref), sha256) for manifest in before for sha256 in _former(manifest, one)],
        )
        for one in payloads
    )


def same_id(published: Iterable[Manifest], ref: PatchRef) -> list[Manifest]:
    """Return the other versions of a patch's id, the newest first."""
    others = [one for one in published if one.patch_id == ref.patch_id and one.ref != ref]
    return sorted(others, key=lambda one: -one.number)


def _former(manifest: Manifest, new: NewPayload) -> list[str]:
    """Return what the PCs that choose ``new`` have chosen of a publication: the same variant."""
    variant = (new.platform, new.arch, new.language)
    return [one.sha256 for one in manifest.payloads if (one.platform, one.arch, one.language) == variant]
