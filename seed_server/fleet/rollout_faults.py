"""What is broken in carrying rollouts on: told once in the log, and kept in the database for who asks. Blocking."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.printable_text import printable
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed, Done
from seed_server.store.rollout_records import RolloutFault

if TYPE_CHECKING:
    from seed_server.store.database import Database

NO_ROLLOUT = 0
"""In place of a rollout's number: none is carried on. Below it stand exceptions."""
MAX_BROKEN_CHARS = 500
STUCK = "rollout stuck"
"""The operation of the entry that a rollout is not carried on."""
STUCK_AGAIN_SECONDS = 3_600.0  # a fault that comes and goes has an entry an hour: the log is for ever
_SURROUNDINGS = (FaultKind.STORAGE, FaultKind.BUSY, FaultKind.NOT_SET_UP)

Joined: TypeAlias = Callable[["Database", Done], AbstractContextManager[None]]
"""Makes the block one transaction with the entry of what it has done, as `Context.joined`."""

log = lazy_log()


def _not_recorded(_database: "Database", _done: Done) -> AbstractContextManager[None]:
    return nullcontext()


def concerns_all(error: Exception) -> bool:
    """Whether an error is of the disk, the database or another process, and not of one rollout."""
    return isinstance(error, OSError) or (isinstance(error, UserError) and error.kind in _SURROUNDINGS)


class RolloutFaults:
    """What is broken now, by rollout."""

    def __init__(self, joined: Joined = _not_recorded) -> None:
        self._joined = joined
        self._entered_at: dict[int, float] = {}
        """When each had its last entry in the audit log."""
        self._told: dict[int, RolloutFault] | None = None
        """As the database has it; None: it was not read."""
        self._said: dict[int, str] = {}
        self._now: dict[int, Exception] = {}
        self._stay: set[int] = set()
        self._unrecorded = False

    def begin(self) -> None:
        """Begin a look, in which anything may be found anew."""
        self._now, self._stay = {}, set()

    def found(self, rollout: int, error: Exception) -> None:
        """Keep that a rollout (or `NO_ROLLOUT`) is not carried on."""
        self._now[rollout] = error

    def stays(self, rollout: int) -> None:
        """Keep that it is still as it was: it was not tried again."""
        self._stay.add(rollout)

    def tell(self, database: "Database", now: float) -> None:
        """End a look: say what is new of it, and record it. What cannot be recorded now, is the next time."""
        words = {number: text for number, text in self._said.items() if number in self._stay}
        words |= {number: fault_words(error) for number, error in self._now.items()}
        for number, error in self._now.items():
            if self._said.get(number) != words[number]:
                log.error(
                    "rollouts wait: the next look tries again", rollout=number, reason=words[number],
                    exc_info=None if isinstance(error, UserError) else error,
                )  # fmt: skip
        self._said = words
        try:
            if self._told is None:
                self._told = {one.rollout: one for one in database.rollout_faults()}
            before = self._told
            if {number: one.words for number, one in before.items()} != words:
                told = {number: RolloutFault(number, now, text) for number, text in words.items()}
                told |= {number: one for number, one in before.items() if words.get(number) == one.words}
                self._keep(database, told, words.keys() - before.keys(), now)
                self._told = told
            self._unrecorded = False
        except Exception as error:  # noqa: BLE001 - what is wrong is not made worse by telling it
            if not self._unrecorded:
                log.error("what is wrong with rollouts cannot be recorded", reason=fault_words(error))  # noqa: TRY400
            self._unrecorded = True

    def _keep(self, database: "Database", told: dict[int, RolloutFault], new: AbstractSet[int], now: float) -> None:
        """Record what is broken, with an entry of the audit log for what is ``new`` and had none a moment ago."""
        known = {number: at for number, at in self._entered_at.items() if 0 <= now - at < STUCK_AGAIN_SECONDS}
        entered = sorted(new - known.keys())

        def done() -> tuple[Actor, Deed] | None:
            if not entered:
                return None
            first = told[entered[0]]
            numbers = " ".join(map(str, entered)) if entered != [NO_ROLLOUT] else "all"
            deed = Deed(STUCK, numbers, reason=first.words, after=str(sorted(told)).encode())
            return Actor.engine(), deed

        with self._joined(database, done):
            database.keep_rollout_faults(told.values())
        self._entered_at = {**known, **dict.fromkeys(entered, now)}


def fault_words(error: Exception) -> str:
    """Return what went wrong, in one line of bounded length."""
    text = error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(text.split()))[:MAX_BROKEN_CHARS] or type(error).__name__
