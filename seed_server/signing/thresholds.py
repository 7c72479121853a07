"""How many signatures a proposed change has, how many it needs, and whose are missing. Blocking."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from seed_server.signing import bins
from seed_server.signing.bundle import OfflineRole

SHORT_KEY_CHARS = 8  # of a key's id, for people

Proposed = Mapping[OfflineRole, Metadata[Any]]
"""Metadata by its role."""


@dataclass(frozen=True)
class RoleSigning:
    """The signatures of one role."""

    role: OfflineRole
    threshold: int
    signed: tuple[str, ...]
    """Ids of the keys that have signed, sorted; likewise ``unsigned``, of those that may."""
    unsigned: tuple[str, ...]
    missing: int
    """How many more are needed."""

    def in_words(self) -> str:
        """Return how many signatures there are and, where some are missing, whose can be added."""
        text = f"{self.role}: {len(self.signed)} of {self.threshold} signatures"
        if self.missing:
            text += f", {self.missing} missing, of the keys {', '.join(map(short, self.unsigned))}"
        return text


def short(keyid: str) -> str:
    """Return a key's id as people see it."""
    return keyid[:SHORT_KEY_CHARS]


def signing_of(proposed: Proposed, root: Root, current: Proposed) -> list[RoleSigning]:
    """Return the signatures of each proposed role; ``root`` and ``current`` are in force.

    A key counts for what is proposed by what is proposed with it: a new key of a role signs that role at once.
    Raises `RepositoryError` or `ValueError` for roles that nobody delegates to.
    """
    states = []
    for role, metadata in proposed.items():
        results = [
            delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
            for delegator in _delegators(role, proposed, root, current)
        ]
        signed = {key for result in results for key in result.signed}
        unsigned = {key for result in results for key in result.unsigned} - signed
        states.append(
            RoleSigning(
                role,
                max(result.threshold for result in results),
                tuple(sorted(signed)),
                tuple(sorted(unsigned)),
                max(result.missing for result in results),
            )
        )
    return states


def together(states: Iterable[RoleSigning]) -> list[RoleSigning]:
    """Return ``states`` with one for `patches` and all among which it is divided: what people are shown.

    A key that has signed only some of these has not signed.
    """
    found: dict[str, RoleSigning] = {}
    for state in states:
        role = bins.key_of(state.role) if state.role in bins.DIVIDED_ROLES else state.role
        other = found.get(role, state)
        signed = tuple(sorted(set(state.signed) & set(other.signed)))
        unsigned = tuple(sorted({*state.signed, *state.unsigned, *other.signed, *other.unsigned} - set(signed)))
        missing = max(state.missing, other.missing, state.threshold - len(signed))
        found[role] = RoleSigning(role, max(state.threshold, other.threshold), signed, unsigned, missing)
    return list(found.values())


def _delegators(role: OfflineRole, proposed: Proposed, root: Root, current: Proposed) -> Iterable[Root | Targets]:
    new_root: Root = proposed["root"].signed if "root" in proposed else root
    if role == "root":
        return (root, new_root)  # TUF: a new root is signed by the keys of both
    if role == "targets":
        return (new_root,)
    delegator = bins.delegator_of(role)
    return ((proposed if delegator in proposed else current)[delegator].signed,)
