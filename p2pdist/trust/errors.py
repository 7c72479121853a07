"""Why no new metadata could be accepted: every error of TUF's client as one sentence that says whose fault it is."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from tuf.api import exceptions as tuf_errors

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust.catalogue import DocumentError
from p2pdist.trust.http_answers import JUDGED_BY_CLOCK, HttpError

_HTTP_ADVICE = {
    403: "This PC is not enrolled there, or the operator has denied it. Ask the operator to allow it.",
    429: "This PC asks for more than it may; it tries again by itself.",
}

TrustErrorReason = Literal[
    "unreachable", "certificate_time", "expired", "rolled_back", "invalid_signature", "malformed"
]


_KINDS: dict[TrustErrorReason, FaultKind] = {
    "unreachable": FaultKind.UNREACHABLE,
    "certificate_time": FaultKind.UNREACHABLE,
}


class TrustError(UserError):
    """No new metadata could be accepted; the metadata accepted before stays in force."""

    def __init__(self, reason: TrustErrorReason, message: str) -> None:
        super().__init__(message, _KINDS.get(reason, FaultKind.REFUSED))
        self.reason: TrustErrorReason = reason


@contextlib.contextmanager
def translated_errors(server: str) -> Iterator[None]:
    """Turn what tuf, a document or a decoder raises into a `TrustError` that names ``server``."""
    try:
        yield
    except tuf_errors.DownloadHTTPError as error:
        raise TrustError(
            "unreachable",
            f"The seed server at {server} answered HTTP {error.status_code} instead of its signed metadata. "
            + _HTTP_ADVICE.get(error.status_code, "Look at the server's log; this PC tries again by itself."),
        ) from error
    except (tuf_errors.DownloadLengthMismatchError, tuf_errors.LengthOrHashMismatchError) as error:
        raise TrustError(
            "malformed",
            f"The seed server at {server} sent metadata of the wrong length or hash: its files are damaged or "
            "were tampered with. Publish again or restore its repository.",
        ) from error
    except tuf_errors.DownloadError as error:
        cause = error.__cause__
        if not isinstance(cause, HttpError):
            raise TrustError("unreachable", words(error)) from error
        by_clock = cause.failure in JUDGED_BY_CLOCK
        raise TrustError("certificate_time" if by_clock else "unreachable", cause.message) from error
    except tuf_errors.ExpiredMetadataError as error:
        raise TrustError(
            "expired",
            f"The signed metadata of the seed server at {server} has expired ({words(error)}). Check that this "
            "PC's clock is right and that the server runs and renews it.",
        ) from error
    except tuf_errors.BadVersionNumberError as error:
        raise TrustError(
            "rolled_back",
            f"The seed server at {server} offers older or mixed signed metadata ({words(error)}): it was restored "
            "from a backup, or somebody replays old files. Publish again on the server to get ahead.",
        ) from error
    except tuf_errors.UnsignedMetadataError as error:
        raise TrustError(
            "invalid_signature",
            f"Metadata of the seed server at {server} is not signed by enough of the trusted keys "
            f"({words(error)}): it was tampered with, or its keys were replaced. Ask the operator.",
        ) from error
    except (tuf_errors.RepositoryError, DocumentError, DecodeError, ValueError) as error:
        raise TrustError(
            "malformed",
            f"The signed metadata of the seed server at {server} is not usable ({words(error)}). "
            "Look at the server's log and publish again.",
        ) from error


def words(error: BaseException) -> str:
    """Return what the error says, as one printable clause."""
    return printable(str(error) or type(error).__name__)[:200]
