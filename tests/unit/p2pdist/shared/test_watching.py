"""`p2pdist.shared.watching`: once, again and again in a pipe, and as a screen that outlives a restart of the daemon."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator

import pytest
from rich.console import RenderableType
from rich.text import Text

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.watching import WATCH_SECONDS, is_live, show

STOPPED = UserError("The daemon is not running.", FaultKind.NOT_RUNNING)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def on_a_terminal() -> contextlib.redirect_stdout[Terminal]:
    return contextlib.redirect_stdout(Terminal())


def answers(*values: int | Exception) -> Callable[[], int]:
    """Return what answers with each of ``values``, and is left by Ctrl-C after the last."""
    left: Iterator[int | Exception] = iter(values)

    def ask() -> int:
        value = next(left, KeyboardInterrupt())
        if isinstance(value, BaseException):
            raise value
        return value

    return ask


def document(answer: int) -> dict[str, int]:
    return {"answer": answer}


def view(answer: int, columns: int) -> RenderableType:
    assert columns > 0
    return Text(f"answer {answer}")


def shown(ask: Callable[[], int], *, as_json: bool = False, watch: bool = True) -> list[float]:
    pauses: list[float] = []
    show(ask, document, view, as_json=as_json, watch=watch, pause=pauses.append)
    return pauses


@pytest.mark.parametrize(("as_json", "printed"), [(False, "answer 1\n"), (True, '{\n  "answer": 1\n}\n')])
def test_once(as_json: bool, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(answers(1, 2), as_json=as_json, watch=False) == []
    assert capsys.readouterr().out == printed


def test_in_a_pipe_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(answers(1, 2, 3)) == 3 * [WATCH_SECONDS]
    assert capsys.readouterr().out == "answer 1\nanswer 2\nanswer 3\n"


def test_documents_in_a_pipe_and_on_a_terminal() -> None:
    with on_a_terminal() as screen:
        shown(answers(1, 2), as_json=True)
    first, second = screen.getvalue().replace("}\n{", "}\0{").split("\0")
    assert (json.loads(first), json.loads(second)) == ({"answer": 1}, {"answer": 2})


def test_in_a_pipe_a_failure_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError):
        shown(answers(1, STOPPED, 2))
    assert capsys.readouterr().out == "answer 1\n"


@pytest.mark.parametrize("kind", [FaultKind.NOT_RUNNING, FaultKind.BUSY])
def test_on_a_terminal_a_failure_that_passes_is_waited_for(kind: FaultKind) -> None:
    with on_a_terminal() as screen:
        shown(answers(1, UserError("It is away.", kind), 2))
    told = screen.getvalue()
    assert told.index("answer 1") < told.index("It is away.") < told.index("answer 2")
    assert "Waiting for it; Ctrl-C ends." in told


@pytest.mark.parametrize("values", [(STOPPED,), (1, UserError("It is broken.", FaultKind.STORAGE))])
def test_on_a_terminal_other_failures_and_the_first_end_it(values: tuple[int | Exception, ...]) -> None:
    with on_a_terminal() as screen, pytest.raises(UserError):
        shown(answers(*values, 2))
    assert "answer 2" not in screen.getvalue()


def test_a_screen_is_for_people_alone() -> None:
    with on_a_terminal():
        assert is_live(as_json=False, watch=True)
        assert not is_live(as_json=True, watch=True)
        assert not is_live(as_json=False, watch=False)
    assert not is_live(as_json=False, watch=True)


def test_a_terminal_that_cannot_draw_gets_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with on_a_terminal() as screen:
        shown(answers(1, 2))
    assert screen.getvalue() == "answer 1\nanswer 2\n"
