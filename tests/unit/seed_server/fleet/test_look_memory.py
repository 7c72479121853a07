"""`seed_server.fleet.look_memory`: a look is shared for some minutes, and no failure is."""

import threading

import pytest
import trio

from seed_server.fleet.look_memory import ASKED_SECONDS, LATELY_SECONDS, MOST_LOOKS, LookMemory


def test_a_look_is_taken_once_in_its_time() -> None:
    memory, taken = LookMemory(), list[float]()

    def at(now: float, key: str = "a") -> int:
        def read() -> int:
            taken.append(now)
            return len(taken)

        return memory.known(now, key, read)

    assert [at(0.0), at(LATELY_SECONDS - 0.1), at(0.0, "b"), at(LATELY_SECONDS), at(-1.0)] == [1, 1, 2, 3, 4]


def test_no_failure_is_remembered() -> None:
    memory = LookMemory()

    def fail() -> int:
        raise OSError("busy")

    with pytest.raises(OSError, match="busy"):
        memory.known(0.0, "a", fail)
    assert memory.known(0.0, "a", lambda: 5) == 5


def test_the_oldest_looks_go() -> None:
    memory = LookMemory()
    for number in range(MOST_LOOKS + 1):
        memory.known(0.0, number, lambda: "first")
    assert memory.known(0.0, 1, lambda: "second") == "first"
    assert memory.known(0.0, 0, lambda: "second") == "second"


def test_what_may_be_asked_for_soon_is_found_out_before_it_is_too_old() -> None:
    memory, taken = LookMemory(), list[str]()

    def at(now: float, key: str, seconds: float) -> int:
        def read() -> int:
            taken.append(key)
            return len(taken)

        return memory.known(now, key, read, seconds)

    assert not memory.renew(0.0), "nobody has asked for anything"
    assert (at(0.0, "a", 60.0), at(0.0, "b", 100.0)) == (1, 2)
    assert not memory.renew(29.9), "it is young"
    assert memory.renew(30.0)
    assert taken == ["a", "b", "a"]
    assert at(59.0, "a", 60.0) == 3, "nobody waits"
    assert memory.renew(60.0)
    assert memory.renew(60.0)
    assert not memory.renew(60.0)
    assert taken == ["a", "b", "a", "a", "b"], "first what is too old first"
    last = 0.0 + ASKED_SECONDS
    assert memory.renew(last - 0.1)
    assert memory.renew(last - 0.1)
    assert taken[5:] == ["a", "b"], "people go to and fro between pages"
    assert memory.renew(last + 58.9), "a was asked for at 59"
    assert not memory.renew(last + 59.0 + 100.0), "nobody has asked for either for long"


def test_a_look_that_cannot_be_taken_anew_is_the_one_before_until_it_is_too_old() -> None:
    memory = LookMemory()

    def fail() -> int:
        raise OSError("busy")

    assert memory.known(0.0, "a", lambda: 5, 60.0) == 5
    assert memory.known(1.0, "a", fail, 60.0) == 5
    with pytest.raises(OSError, match="busy"):
        memory.renew(40.0)
    assert memory.known(59.0, "a", fail, 60.0) == 5
    with pytest.raises(OSError, match="busy"):
        memory.known(60.0, "a", fail, 60.0)


async def test_who_asks_the_same_waits_for_one_look() -> None:
    memory, begun, go, taken, found = LookMemory(), threading.Event(), threading.Event(), list[int](), list[int]()

    def slow() -> int:
        begun.set()
        assert go.wait(10)
        taken.append(1)
        return 7

    async def ask() -> None:
        found.append(await trio.to_thread.run_sync(memory.known, 0.0, "a", slow))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        assert await trio.to_thread.run_sync(begun.wait, 10)
        assert memory.known(0.0, "b", lambda: 1) == 1, "another look waits for nobody"
        go.set()
    assert (found, taken) == ([7, 7, 7], [1])
