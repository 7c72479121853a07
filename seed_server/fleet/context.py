"""Which server an operation or a query is about, and what time it is there."""

import contextlib
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from p2pdist.shared.clock import Clock, SystemClock
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import AuditLog, Deed, Done, RecordedCommit, Request
from seed_server.fleet.look_memory import LATELY_SECONDS, LookMemory
from seed_server.fleet.roles import Permission
from seed_server.fleet.said_memory import SaidLately
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.signing.commit_recorder import CommitRecorder
from seed_server.signing.repository import Repository
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_as_it_is, open_database

if TYPE_CHECKING:
    from seed_server.enrolment.certificate_authority import CertificateAuthority
    from seed_server.store.database import Database, LastingDatabase

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """What a process that works on one home for long has open: nothing of it is opened for each request."""

    database: "LastingDatabase"
    signed: SignedRepository
    said: SaidLately = field(default_factory=SaidLately)
    looks: LookMemory = field(default_factory=LookMemory)


@dataclass(frozen=True)
class Context:
    """One seed server's home, whose parts are opened when an operation needs them. Blocking.

    Every method raises `UserError`: NOT_SET_UP for a home that is not initialised, BAD_INPUT for settings
    that are not acceptable, STORAGE, BUSY.
    """

    home: ServerHome
    clock: Clock = field(default_factory=SystemClock)
    request: Request = field(default_factory=Request)
    right: Permission | None = None
    """That of the operation which is at work, for its entries."""
    rehearsal: bool = False
    """Whether an operation is only to show that it could be done: then it ends with `RehearsedError`, or with what
    refuses it, and nothing has changed."""
    opened: Opened | None = None
    """What is open already; None: each part is opened when it is needed."""

    def lately(self, key: Hashable, read: Callable[[], T], seconds: float = LATELY_SECONDS) -> T:
        """Return what ``read`` returns, as it was up to ``seconds`` ago where the process remembers it.

        Another thread may call ``read`` later on: nothing of this request is of any use to it.
        """
        return read() if self.opened is None else self.opened.looks.known(self.clock.monotonic(), key, read, seconds)

    def settings(self) -> ServerSettings:
        """Return the settings as they stand in ``server.toml`` now."""
        return load_settings(self.home)

    def repository(self, recorder: CommitRecorder | None = None) -> Repository:
        """Open the signed repository; to change it, with what `recorded` returns."""
        known = None if self.opened is None else self.opened.signed
        return Repository.open(self.home, self.settings(), recorder, known=known)

    def database(self) -> "Database":
        """Open the database; the caller closes it, by a block."""
        return self.opened.database if self.opened is not None else open_database(self.home, self.settings())

    def state_as_it_is(self) -> contextlib.AbstractContextManager["Database"]:
        """Open the database for reading alone: nothing is made, brought up to date or waited for."""
        return open_as_it_is(self.home, self.settings())

    def authority(self) -> "CertificateAuthority":
        """Open the certificate authority."""
        from seed_server.enrolment.certificate_authority import CertificateAuthority

        return CertificateAuthority.open(self.home.ca)

    # --- changes -------------------------------------------------------------------------

    def audited(self, actor: Actor, deed: Deed) -> contextlib.AbstractContextManager["Database"]:
        """Open the database for a change that is one transaction with its entry in the audit log.

        The entry says what ``deed`` is when the block ends; where that raises, there is neither change nor entry.
        """
        return self._log().changing(actor, deed)

    def recorded(self, actor: Actor, deed: Deed) -> RecordedCommit:
        """Return what writes the entry of a change of the repository, just before its files.

        Not within `audited`: that holds the database.
        """
        return self._log().recorder(actor, deed)

    def announced(self, actor: Actor, deed: Deed) -> contextlib.AbstractContextManager[None]:
        """Write the entry first, for what changes other files; where that fails, another entry says so."""
        return self._log().announcing(actor, deed)

    def joined(self, database: "Database", done: Done) -> contextlib.AbstractContextManager[None]:
        """Let the block be one transaction of an open database with the entry of what it has ``done``."""
        return self._log().joining(database, done)

    def new_audit_key(self, actor: Actor, deed: Deed, held: Sequence[bytes] | None) -> bytes:
        """Make another audit key, with its entry; return the checkpoint that it signs, as `AuditLog.new_key`."""
        return self._log().new_key(actor, deed, held)

    def settling(self) -> RecordedCommit:
        """Return what writes no entry before a change of the repository, as nobody asked for it.

        Of earlier entries it says whether they were carried out.
        """
        return self._log().settling()

    def settle(self, repository: Repository) -> None:
        """Say it at a start: whoever was killed could not."""
        with repository.locked():
            self.settling().ends(hashlib.sha256(repository.newest_timestamp().data).digest())

    def _log(self) -> AuditLog:
        return AuditLog(self.home, self.clock, self.request, self.database, self.right, self.rehearsal)
