"""What is broken in carrying rollouts on: told once in the log, and kept in the database for who asks. Blocking."""

from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.printable_text import printable
from seed_server.store.rollout_records import RolloutFault

if TYPE_CHECKING:
    from seed_server.store.database import Database

NO_ROLLOUT = 0
"""In place of a rollout's number: none is carried on. Below it stand exceptions."""
MAX_BROKEN_CHARS = 500
_SURROUNDINGS = (FaultKind.STORAGE, FaultKind.BUSY, FaultKind.NOT_SET_UP)

log = lazy_log()


def concerns_all(error: Exception) -> bool:
    """Whether an error is of the disk, the database or another process, and not of one rollout."""
    return isinstance(error, OSError) or (isinstance(error, UserError) and error.kind in _SURROUNDINGS)


class RolloutFaults:
    """What is broken now, by rollout."""

    def __init__(self) -> None:
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
                database.keep_rollout_faults(told.values())
                self._told = told
            self._unrecorded = False
        except Exception as error:  # noqa: BLE001 - what is wrong is not made worse by telling it
            if not self._unrecorded:
                log.error("what is wrong with rollouts cannot be recorded", reason=fault_words(error))  # noqa: TRY400
            self._unrecorded = True


def fault_words(error: Exception) -> str:
    """Return what went wrong, in one line of bounded length."""
    text = error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(text.split()))[:MAX_BROKEN_CHARS] or type(error).__name__
