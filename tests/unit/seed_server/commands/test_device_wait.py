"""`seed_server.commands.device_wait`: the provider's pace is kept, and the wait ends."""

from collections.abc import Callable

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.device_wait import device_identity
from seed_server.fleet.device_login import DeviceLogin, DeviceWait
from seed_server.fleet.identity_provider import ProvenIdentity
from tests.helpers.fake_clock import FakeClock

LOGIN = DeviceLogin("d", "CODE", "https://x/", "", lasts_seconds=60.0, poll_seconds=5.0)
ALICE = ProvenIdentity("i s", "alice", frozenset())
DOWN = UserError("down", FaultKind.UNREACHABLE)
Answer = ProvenIdentity | DeviceWait | UserError


class Provider:
    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def poll_device_login(self, login: DeviceLogin, now: Callable[[], float]) -> ProvenIdentity | DeviceWait:
        assert login is LOGIN
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, UserError):
            raise answer
        return answer


def waited(*answers: Answer) -> list[float]:
    clock, pauses = FakeClock(), list[float]()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.wall += seconds

    assert device_identity(Provider(*answers), LOGIN, clock, pause) == ALICE
    return pauses


def test_the_first_question_waits_and_each_slow_down_lasts() -> None:
    pending, slow = DeviceWait.PENDING, DeviceWait.SLOW_DOWN
    assert waited(pending, slow, pending, slow, ALICE) == [5, 5, 10, 10, 15]


def test_a_provider_that_does_not_answer_is_asked_more_rarely() -> None:
    assert waited(DOWN, DOWN, ALICE) == [5, 10, 20]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (DeviceWait.PENDING, FaultKind.FAILED, "Nobody has finished the login within 60 s"),
        (DeviceWait.SLOW_DOWN, FaultKind.FAILED, "Nobody has finished"),
        (DOWN, FaultKind.UNREACHABLE, "down"),
        (UserError("no", FaultKind.REFUSED), FaultKind.REFUSED, "no"),
    ],
)
def test_the_wait_ends(answer: Answer, kind: FaultKind, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        waited(answer)
    assert caught.value.kind is kind


def test_ctrl_c_ends_it() -> None:
    def pause(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device_identity(Provider(ALICE), LOGIN, FakeClock(), pause)
