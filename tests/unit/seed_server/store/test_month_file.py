"""`seed_server.store.month_file`: an archived month, written and read in blocks; what is damaged is found."""

import io
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_server.store.event_rows import Asked, EventNames, EventNumbers, PcEvent, Sought
from seed_server.store.month_file import MonthFile, MonthFileError, MonthHead, month_file_parts
from seed_server.store.tables import INSTALL_CODES, PATCH_CODES

HEAD = MonthHead(month=202611, part=0)
NAMES = EventNames(
    {1: ("id-1", "pc-1"), 2: ("id-2", "pc-2")}, {7: ("office", "1.2")}, {3: "東京"}, {4: "exit code 1603"}
)
NUMBERS = st.integers(-(1 << 31), (1 << 31) - 1)
EVENTS = st.lists(st.builds(PcEvent, *[NUMBERS] * 5, st.integers(0, 200)), max_size=40).map(
    lambda events: sorted({event[:3]: event for event in events}.values())
)


def written(events: list[PcEvent], size: int = 16, names: EventNames = NAMES) -> bytes:
    blocks = [events[start : start + size] for start in range(0, len(events), size)]
    return b"".join(month_file_parts(HEAD, blocks, lambda _numbers: names))


def read(data: bytes, sought: Sought | None = None, after: tuple[int, int, int] | None = None) -> list[PcEvent]:
    return [event for block in MonthFile.of(io.BytesIO(data)).blocks(sought, after) for event in block]


@settings(max_examples=40)
@given(EVENTS, st.integers(1, 20))
def test_what_is_read_is_what_was_written(events: list[PcEvent], size: int) -> None:
    data = written(events, size)
    opened = MonthFile.of(io.BytesIO(data))
    assert read(data) == events
    counted = sum(map(len, opened.blocks()))
    assert (opened.events, counted, opened.head, opened.names) == (len(events), len(events), HEAD, NAMES)


@settings(max_examples=40)
@given(EVENTS, st.sets(NUMBERS, max_size=3), NUMBERS, NUMBERS, st.integers(0, 40))
def test_whoever_seeks_finds_the_same_as_by_looking_at_all(
    events: list[PcEvent], further: set[int], since: int, until: int, place: int
) -> None:
    some = frozenset({*further, *(event.endpoint for event in events[::3])})
    after = events[place % len(events)][:3] if events else None
    for sought in (
        Sought(endpoints=some),
        Sought(since=since, until=until),
        Sought(sites=frozenset({event.site for event in events[1::4]})),
        Sought(patches=frozenset()),
    ):
        wanted = [event for event in events if sought.fits(event) and (after is None or event[:3] > after)]
        assert read(written(events, 4), sought, after) == wanted


def test_it_is_readable_for_itself() -> None:
    """Without the server: states, time and names are in it."""
    opened = MonthFile.of(io.BytesIO(written([PcEvent(1, 5, 7, 3, 4, 89)])))
    assert (opened.head.states, opened.head.install_states) == (PATCH_CODES, INSTALL_CODES)
    assert opened.names == NAMES
    assert Asked(endpoint="pc-1", patch_id="office", site="東京").within(opened.names) == Sought(
        frozenset({1}), frozenset({7}), frozenset({3})
    )
    assert Asked(endpoint="id-2").within(opened.names).endpoints == frozenset({2})
    assert Asked(patch_id="office", version="9").within(opened.names).nothing


def test_the_names_asked_for_are_those_that_are_used() -> None:
    asked: list[EventNumbers] = []

    def names_of(numbers: EventNumbers) -> EventNames:
        asked.append(numbers)
        return NAMES

    list(month_file_parts(HEAD, [[PcEvent(1, 5, 7, 3, 4, 89)], [PcEvent(2, 5, 7, 3, 0, 89)]], names_of))
    assert asked == [EventNumbers({1, 2}, {7}, {3}, {0, 4})]


def test_many_names_are_in_several_frames() -> None:
    names = EventNames({n: (f"id-{n}", f"pc-{n}") for n in range(10)}, {}, {n: str(n) for n in range(7)}, {})
    data = b"".join(month_file_parts(HEAD, [], lambda _: names, names_of_frame=3))
    assert MonthFile.of(io.BytesIO(data)).names == names


def test_a_damaged_file_is_told_and_costs_no_memory() -> None:
    events = [PcEvent(n // 5, n, 7, 3, 0, 89) for n in range(100)]
    data, random = written(events), Random(7)
    for _ in range(200):
        changed = bytearray(data)
        if random.random() < 0.3:
            del changed[random.randrange(len(data)) :]
        for _ in range(random.randint(1, 4)):
            if changed:
                changed[random.randrange(len(changed))] = random.randrange(256)
        try:
            found = read(bytes(changed))
        except MonthFileError:
            continue
        assert len(found) <= 10_000, "its hash tells the rest"


def test_a_length_that_is_made_up_is_not_believed() -> None:
    data = written([PcEvent(1, 5, 7, 3, 4, 89)])
    at = data.index(b"B\x00\x00")
    with pytest.raises(MonthFileError):
        read(data[: at + 1] + b"\xff\xff\xff\xff" + data[at + 5 :])
