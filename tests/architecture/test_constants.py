"""A constant has one definition: a name that stands in two modules means two things, and is listed here with why."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.sources import PACKAGES, ROOT, files_of, tree_of

NUMBERS_OF_THEIR_OWN = (ROOT / "bandwidth" / "simulator", ROOT / "bandwidth" / "pictures")
"""Models of others (TCP, rivals, business) keep their authors' numbers and names; each picture has its measures."""

OWN_WAIT = "each waits as long as its own work needs"
OWN_CAP = "each bounds what it reads or keeps itself"
MEANS_TWO_THINGS = {
    "AGAIN_SECONDS": "of a transfer that fell beside us; of a slow start",
    "ANSWER_SECONDS": OWN_WAIT,
    "CHECK_SECONDS": OWN_WAIT,
    "CONNECT_SECONDS": OWN_WAIT,
    "DEFAULT_LIMITS": "of the origin port; of the installer",
    "DEMAND_GROWTH": "of the less busy way on Wi-Fi; of a link that could take more",
    "DOCUMENTS": "each command line prints its own",
    "FIRST_BACKOFF_SECONDS": OWN_WAIT,
    "GOODBYE_SECONDS": OWN_WAIT,
    "GROWTH": "of a transfer in slow start; of one that shares",
    "HANDSHAKE_SECONDS": "of the server's ports; of libtorrent, in whole seconds",
    "IDLE_SECONDS": OWN_WAIT,
    "IDLE_STEP_SECONDS": OWN_WAIT,
    "LEAST_RATE": "of the limiter; of libtorrent",
    "LONGEST_BACKOFF_SECONDS": OWN_WAIT,
    "LONGEST_RETRY_SECONDS": OWN_WAIT,
    "LONGEST_STEP_SECONDS": "of a clock that stood still: in the limiter, in times under a reason",
    "MAX_ANSWER_BYTES": OWN_CAP,
    "MAX_CONNECTIONS": OWN_CAP,
    "MAX_OUTSTANDING": OWN_CAP,
    "OUR_FAULT": "in a goodbye of the origin port; in an answer of the web port",
    "PATCHES": "a table of the database; a curve of the simulator",
    "PAUSE_SECONDS": "of the limiter; of a transfer of business",
    "PORT_RETRY_SECONDS": OWN_WAIT,
    "PORT_WAIT_SECONDS": OWN_WAIT,
    "RATE_SECONDS": "each rate has its own window",
    "RECEIVE_BYTES": OWN_CAP,
    "RECENT_SECONDS": "of bytes; of samples",
    "READ_SECONDS": OWN_WAIT,
    "REFRESH_SECONDS": OWN_WAIT,
    "REQUEST_SECONDS": OWN_WAIT,
    "RETRY_SECONDS": OWN_WAIT,
    "REVISION_NUMBER": "each revision of the database has its own",
    "Rate": "in a message; in a JSON document",
    "Seconds": "a duration in a message; one in a JSON document",
    "STEADY_SECONDS": OWN_WAIT,
    "STOPPED": "a limit of a profile; the least that libtorrent takes for one",
    "STOP_SECONDS": OWN_WAIT,
    "TABLES": "each revision of the database has its own",
    "TRANSITIONS": "each state machine has its table",
}


def constants_of(path: Path) -> Iterator[str]:
    """Yield the public names with capitals that a module gives a value; what it imports and type variables are none."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            made = node.value.func if isinstance(node.value, ast.Call) else None
            if isinstance(made, ast.Name) and made.id in {"TypeVar", "ParamSpec"}:
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (
                    name.id for name in ast.walk(target) if isinstance(name, ast.Name) and name.id[:1].isupper()
                )


@pytest.fixture(scope="module")
def doubles() -> dict[str, list[str]]:
    found = defaultdict(list)
    for package in PACKAGES:
        for path in files_of(package):
            if not any(path.is_relative_to(folder) for folder in NUMBERS_OF_THEIR_OWN):
                for name in constants_of(path):
                    found[name].append(str(path.relative_to(ROOT)))
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def test_a_name_that_stands_twice_means_two_things(doubles: dict[str, list[str]]) -> None:
    unexplained = {name: modules for name, modules in doubles.items() if name not in MEANS_TWO_THINGS}
    assert unexplained == {}, "one definition where they mean the same, two names or a line above where they do not"


def test_the_table_has_no_name_that_stands_only_once(doubles: dict[str, list[str]]) -> None:
    assert MEANS_TWO_THINGS.keys() - doubles.keys() == set()


# of a class: where it stands twice, and why
CLASSES_TWICE = {
    "Asked": "which events are asked for; a request for a page",
    "Done": "the network part's word; what became of a form",
    "ExitCode": "bandwidth imports nothing of ours, and has a part of the codes",
    "Page": "of a list of the API; a page of the web",
}


def test_a_class_has_a_name_of_its_own() -> None:
    found = defaultdict(list)
    for package in PACKAGES:
        for path in files_of(package):
            for node in tree_of(path).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in found.items() if len(places) > 1 and name not in CLASSES_TWICE} == {}
