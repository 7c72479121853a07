"""What all inspectors have in common: a budget for reading, and one kind of error."""

import contextlib
import io
from collections.abc import Iterator
from typing import BinaryIO

from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.printable_text import printable
from seed_server.publishing.contents import InspectionError

_SHOWN_CHARS = 200  # of what a library says of a file that it does not understand


class BoundedFile(io.RawIOBase):
    """A file that gives at most so many bytes, counted over all reads: no library builds more than from these."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._left_bytes = most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes. Raises `InspectionError` when the budget is spent."""
        wanted = self._left_bytes + 1 if size is None or size < 0 else min(size, self._left_bytes + 1)
        data = self._file.read(wanted)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise InspectionError("it describes itself with more data than any honest file does")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go there."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where it is."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True


@contextlib.contextmanager
def inspecting(what: str) -> Iterator[None]:
    """Turn whatever goes wrong into `InspectionError`; ``what`` is what the file should be, such as ``a zip archive``.

    Libraries that read other people's formats stumble over what they do not expect: any exception is the file's fault.
    """
    try:
        yield
    except InspectionError:
        raise
    except ArchiveError as error:
        raise InspectionError(printable(str(error))) from error
    except OSError as error:
        if error.errno is not None:
            raise InspectionError(f"it cannot be read: {error.strerror}") from error
        raise InspectionError(f"it is no {what}, or damaged: {_words(error)}") from error
    except (Exception, RecursionError) as error:
        raise InspectionError(f"it is no {what}, or damaged: {_words(error)}") from error


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """Return the next ``size`` bytes. Raises `InspectionError` where the file ends before."""
    data = file.read(size)
    if len(data) < size:
        raise InspectionError("it ends too early: was it copied or downloaded whole?")
    return data


def length_of(file: BinaryIO) -> int:
    """Return the file's length, and go back to its begin."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length


def _words(error: BaseException) -> str:
    text = printable(str(error))[:_SHOWN_CHARS]
    return text or type(error).__name__
