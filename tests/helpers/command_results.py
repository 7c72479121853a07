"""What a command that a test has run came to: what it shows, or why it is refused."""

from click.testing import Result

from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import FaultKind, UserError


def shown(result: Result) -> str:
    """Return what it prints, once it has done what it should."""
    assert result.exception is None, result.exception
    assert result.exit_code == ExitCode.OK, result.output
    return result.stdout


def refused(result: Result, words: str, kind: FaultKind = FaultKind.REFUSED) -> None:
    """Assert that it is refused so, in these words."""
    assert isinstance(result.exception, UserError), (result.exception, result.output)
    assert result.exception.kind is kind
    assert words in result.exception.message
