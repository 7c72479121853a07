"""The libraries of the extra `server`: where they are missing, whoever needs one says which extra brings it."""

import contextlib
import importlib.util
from collections.abc import Iterator

from p2pdist.shared.errors import FaultKind, UserError

_OURS = ("p2pdist", "seed_server", "bandwidth")


@contextlib.contextmanager
def of_server_extra() -> Iterator[None]:
    """Raise `UserError` (FAILED) where an import in here fails, because this PC has what every PC gets and no more."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        raise UserError(
            f"The server's part of p2pdist is not installed here ({error.name} is missing). "
            "Install it with its extra: pip install 'p2pdist[server]'.",
            FaultKind.FAILED,
        ) from error


def need_server_extra(*modules: str) -> None:
    """Raise `UserError` (FAILED) where one of these is missing, without loading any: another process will."""
    with of_server_extra():
        for module in modules:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(name=module)
