"""Documents that people write and a key signs: profiles of sites, diagnosis templates. Blocking."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import DecodeError
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.repository import Repository

D = TypeVar("D")

log = lazy_log()


@dataclass(frozen=True)
class DocumentKind(Generic[D]):
    """What the documents of one kind have in common: their role, their encoding, their names and target paths."""

    role: Literal["patches", "profiles"]
    """The role whose key signs them."""
    encode: Callable[[D], bytes]
    decode: Callable[[bytes], D]
    """Raises `DecodeError`."""
    name_of: Callable[[D], str]
    target_of: Callable[[str], str]
    """Return the target path of a document by its name."""

    def read(self, targets: Mapping[str, bytes]) -> dict[str, D]:
        """Return the documents by their names, sorted by target; one that cannot be used is left out and logged."""
        found: dict[str, D] = {}
        for target, data in sorted(targets.items()):
            try:
                document = self.decode(data)
            except DecodeError as error:  # signed by another version of this program
                log.error("a signed document is not usable", target=target, reason=str(error))  # noqa: TRY400
                continue
            name = self.name_of(document)
            if self.target_of(name) == target:
                found[name] = document
        return found

    def sign(self, repository: Repository, keys: OfflineKeys, name: str, document: D | None, now: float) -> None:
        """Sign ``document`` in place of the earlier one of this ``name``; None signs its removal.

        ``now`` is in seconds since 1970. Raises `UserError`: NOT_SET_UP or REFUSED for the key, BUSY, STORAGE.
        """
        self.sign_all(repository, keys, {name: document}, now)

    def sign_all(
        self, repository: Repository, keys: OfflineKeys, documents: Mapping[str, D | None], now: float
    ) -> None:
        """Sign several documents, or their removal, by their names, at once; as `sign`."""
        repository.change_documents(self.role, self.targets(documents), key=keys.load(self.role), now=now)

    def targets(self, documents: Mapping[str, D | None]) -> dict[str, bytes | None]:
        """Return the bytes of documents, by their target paths; None: it is removed."""
        return {
            self.target_of(name): None if document is None else self.encode(document)
            for name, document in documents.items()
        }
