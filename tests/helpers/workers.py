"""Which tests one worker runs after each other: how several workers share the tests of `make test`.

Tests in real time, most with real processes, mostly wait, and disturb each other's measurements. They begin first, in
`STREAMS`: in each of them one test runs at a time, whatever the number of workers. One worker more than there are
streams (`WORKERS` in the Makefile) runs all other tests beside them, so that the processors are busy to the end, and
what comes last is short.

(Marks cannot say it: xdist 3.8 writes its `xdist_group` into an attribute that pytest 9 does not read.)
"""

from collections import Counter
from collections.abc import Sequence

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# by how a test's id begins, the first that fits; each stream takes about as long as the others
STREAMS = (
    ("tests/adversary/", "tests/field/", "tests/release/", "tests/unit/bench/control/", "tests/unit/bench/fleet_size/"),
    ("tests/faults/",),
    (
        "tests/lab/",
        "tests/swarm/",
        "tests/unit/seed_server/web/pages/test_pages_profiles.py",
        "tests/unit/seed_server/web/pages/test_simulating.py",
    ),
)
PARSES_SOURCES = ("tests/architecture/",)  # in one process, which parses each source once
HANDED_OUT = 16  # of a file at once: to hand out one costs more than many of them take; more may take long at the end


def in_a_stream(test_id: str) -> bool:
    """Whether a test is among those that begin, and of which one runs at a time in each stream."""
    return any(test_id.startswith(begins) for begins in STREAMS)


def groups_of(test_ids: Sequence[str]) -> dict[str, str]:
    """Return of which group each test is: a group is run by one worker, one test after the other."""
    groups: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for test_id in test_ids:
        file = test_id.partition("::")[0]
        kept = next((begins for begins in (*STREAMS, PARSES_SOURCES) if test_id.startswith(begins)), None)
        groups[test_id] = kept[0] if kept else f"{file} {seen[file] // HANDED_OUT}"
        seen[file] += 1
    return groups


class Sharing(LoadScopeScheduling):  # type: ignore[misc] # it carries no types
    """Hands out whole groups, in the order in which the tests were collected."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take over what a worker has collected; all collect the same."""
        self.groups = groups_of(collection)
        self.config.option.loadscopereorder = False  # the order is given, and not by how many tests a group has
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self.groups[nodeid]
