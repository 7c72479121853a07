"""What is said of a body that does not come whole: to whoever sends one to the API, or a form to a page."""

import contextlib
from collections.abc import Iterator

from seed_server.web.api.problems import ApiProblemError
from seed_server.web.request_body import BodyError


@contextlib.contextmanager
def body_problems(too_long: str) -> Iterator[None]:
    """Turn the block's `BodyError` into `ApiProblemError`: malformed, took-too-long; ``too_long`` is a sentence."""
    try:
        yield
    except BodyError as error:
        raise {
            "too long": ApiProblemError("too-long", too_long),
            "broken off": ApiProblemError("malformed", "The request broke off. Send it again."),
            "too late": ApiProblemError("took-too-long", "The request took too long to arrive."),
        }[error.fault] from None
