"""A target: a reader of bytes from outside with the promise that it keeps, and how one input is tried on it."""

import contextlib
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "fuzz" / "corpus"
"""A folder for each target with what has once failed; `make test` tries all of it again."""

INPUT_SECONDS = 2.0  # of processor time; honest inputs take milliseconds, and instrumented code is a few times slower
HEAP_BYTES = 512 << 20  # beside what the process has at its start; the largest honest input needs some megabytes


class BrokenPromiseError(AssertionError):
    """A reader took bytes, and what it made of them is not what it promises."""


class TooSlowError(BaseException):
    """One input took more than its target's ``seconds``. No `Exception`: what is under test must not catch it."""


@dataclass(frozen=True)
class Target:
    """One reader, or several that read the same."""

    name: str
    check: Callable[[bytes], None]
    """Raises for a broken promise: an error that is not declared is one as well."""
    seeds: Callable[[], Iterable[bytes]]
    """Honest inputs to start from."""
    msgpack: bool = False
    """Inputs are msgpack: they are also changed by their structure, not only by bytes."""
    max_bytes: int = 16_384
    seconds: float = INPUT_SECONDS

    def try_one(self, data: bytes) -> None:
        """Raise what is wrong with the target's answer to ``data``, `TooSlowError` too."""
        signal.signal(signal.SIGVTALRM, _too_slow)
        signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds)
        started = time.process_time()
        try:
            self.check(data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if time.process_time() - started > self.seconds:  # in a library, where no signal is looked at
            raise TooSlowError

    def found(self) -> list[Path]:
        """Return the inputs that have once failed, sorted."""
        return sorted((CORPUS / self.name).glob("*")) if (CORPUS / self.name).is_dir() else []


def limit_memory() -> None:
    """Let this process have `HEAP_BYTES` more than it has now; beyond that Python raises `MemoryError`."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + HEAP_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def must(holds: object, promise: str) -> None:
    """Raise `BrokenPromiseError` unless ``holds``."""
    if not holds:
        raise BrokenPromiseError(promise)


@contextlib.contextmanager
def refused_by(kind: type[Exception], most_chars: int) -> Iterator[None]:
    """Let an error of ``kind`` pass, whose text has to be fit for logs and terminals."""
    try:
        yield
    except kind as error:
        must(str(error).isprintable(), "an error is one line of visible signs")
        must(len(str(error)) <= most_chars, "an error is short")


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError
