"""Settings and fixtures that hold for every test.

`make test` runs several tests at a time, in processes of their own, and other programs run beside them: an address,
a port, a name on the network and a home belong to one test, and no other test's processes or files are counted.
Which must not run beside certain others is said in `tests.helpers.workers`.

A test that runs the same lines millions of times is marked `uncounted` where others reach those lines too: counting
them for coverage takes three times as long as the test.
"""

import contextlib
import gc
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import structlog
import trio.testing
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from xdist.remote import Producer

from bench import fleet_processes
from p2pdist.shared.lazy_log import forget_log
from p2pdist.shared.loading import quick_loading
from p2pdist.transfer.torrent_engine import SwarmIdentity
from seed_server.publishing import publish
from seed_server.signer import payloads
from seed_server.signing.metadata import MetadataReader
from seed_server.store import engines
from tests.helpers import certificates as certificates_module
from tests.helpers import repository_simulator
from tests.helpers.known_roles import remembering
from tests.helpers.pki import TestCA
from tests.helpers.quick_torrents import build_quickly
from tests.helpers.ready_commands import ReadyCommands
from tests.helpers.shared_statements import sharing
from tests.helpers.swarm_endpoints import Endpoint, Payload, make_identity, make_payload, open_test_endpoint
from tests.helpers.virtual_time import patient_clock
from tests.helpers.workers import Sharing, in_a_stream

if sys.platform != "win32":
    import fcntl

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, also by what tests start
os.environ.pop("COLUMNS", None)  # of a worker's standard output; what a test prints goes into a pipe, unless it says
os.umask(0o022)  # with 002, as many systems give it to users, directories that tests make are not trusted

# what tests write is in memory: the product waits until each file is on the disk, which no test could tell from not
# waiting, and that was half of the suite's real time; TMPDIR=/tmp has it on the disk
IN_MEMORY = Path("/dev/shm")
LEAST_FREE_BYTES = 4 << 30  # a run uses up to 2 GB, most of it databases; containers often have 64 MB there
if "TMPDIR" not in os.environ and IN_MEMORY.is_dir():
    _found = os.statvfs(IN_MEMORY)
    if _found.f_bavail * _found.f_frsize >= LEAST_FREE_BYTES and not _found.f_flag & getattr(os, "ST_NOEXEC", 0):
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None  # it is asked for anew

# the same examples on every run and no clock: a failure is the change's fault, not the day's or a busy machine's
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    max_examples=40,
)
# HYPOTHESIS_PROFILE=explore looks for new examples
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

GIVES_WAY = 5  # a third of what others get; not as nice as a daemon, so that one inside of a test is seen


LONGEST_BYTES_IN_A_NAME = 40  # what is longer was made at the start: an archive, perhaps, with its time in it


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by their parameter alone: all workers must find the same names, whenever each of them looks."""
    return argname if isinstance(val, bytes) and len(val) > LONGEST_BYTES_IN_A_NAME else None


@pytest.hookimpl(optionalhook=True)  # without xdist nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Let workers share the tests in our way, whatever `--dist` says."""
    return Sharing(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let one worker compile the tests' modules, where that was not done, and the others wait and find them compiled.

    Else each of them compiles them all: 10 seconds of a processor each. What has been collected stays to the end: the
    garbage collector does not look at it, not even once, which would take a second of each worker.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform == "linux" and "PYTEST_XDIST_WORKER" in os.environ:
            shared = stack.enter_context(Path(__file__).open("rb"))
            try:
                fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(shared, fcntl.LOCK_SH)
        stack.enter_context(quick_loading())
        result = yield
        gc.freeze()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests in real time."""
    items.sort(key=lambda item: not in_a_stream(item.nodeid))


def pytest_runtest_logstart(nodeid: str) -> None:
    """Let a worker that has come to the tests that only compute give way to those in real time, beside it."""
    if sys.platform != "linux" or "PYTEST_XDIST_WORKER" not in os.environ or in_a_stream(nodeid):
        return
    if os.getpriority(os.PRIO_PROCESS, 0) < GIVES_WAY:
        os.setpriority(os.PRIO_PROCESS, 0, GIVES_WAY)


@pytest.fixture(autouse=True)
def lasting_objects_are_visited_once() -> Iterator[None]:
    """Let the garbage collector look no more at what has outlived a test in which it looked at everything.

    Syntax trees, statements and applications stay to the end of the process. To visit them again and again took an
    eighth of all processor time.
    """
    before = gc.get_stats()[-1]["collections"]
    yield
    if gc.get_stats()[-1]["collections"] != before:
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Leave the lines of an `uncounted` test out of the coverage. (pytest-cov's own mark does nothing under xdist.)"""
    if not item.get_closest_marker("uncounted"):
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.fixture(autouse=True)
def priority_as_at_first() -> Iterator[None]:
    """Undo that a daemon run inside of a test gives way: all that later tests start would give way too, and be late."""
    if sys.platform != "linux":
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    if os.getpriority(os.PRIO_PROCESS, 0) != before:
        with contextlib.suppress(OSError, psutil.AccessDenied):  # only root may take it back
            os.setpriority(os.PRIO_PROCESS, 0, before)
            psutil.Process().ionice(psutil.IOPRIO_CLASS_NONE)
            Path("/proc/self/autogroup").write_text("0")


@pytest.fixture
def autojump_clock(monkeypatch: pytest.MonkeyPatch) -> trio.testing.MockClock:
    """Return a clock that jumps when nothing happens; unlike pytest-trio's, it waits for threads."""
    return patient_clock(monkeypatch)


@pytest.fixture(autouse=True)
def log_as_at_first() -> Iterator[None]:
    """Undo what a command run inside of a test has set: its standard error may be closed by then."""
    log_plainly()
    yield
    structlog.reset_defaults()
    forget_log()


def log_plainly() -> None:
    """Log as structlog does by default, without drawing a traceback for seconds."""
    *others, renderer = structlog.get_config()["processors"]
    assert isinstance(renderer, structlog.dev.ConsoleRenderer)
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, plain])


@pytest.fixture(autouse=True, scope="session")
def quick_torrents() -> Iterator[None]:
    """Let publications in this process make their torrents here. What the child does is shown by its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (publish, payloads):
            patch.setattr(module, "build_torrent", build_quickly)
        yield


@pytest.fixture(autouse=True, scope="session")
def known_roles() -> Iterator[None]:
    """Let this process verify each signed role once; a role that was changed or is by other keys is another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetadataReader, "_role", remembering(MetadataReader._role))
        yield


@pytest.fixture(autouse=True, scope="session")
def shared_statements() -> Iterator[None]:
    """Let the databases of this process compile each statement once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "create_engine", sharing(create_engine))
        yield


@pytest.fixture(autouse=True, scope="session")
def ready_commands() -> Iterator[None]:
    """Let the commands of fleets share what they have loaded. That each can start by itself is shown elsewhere."""
    if sys.platform != "linux":
        yield
        return
    with contextlib.closing(ReadyCommands()) as ready, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet_processes, "run_ours", ready.run)
        patch.setattr(fleet_processes, "start_ours", ready.start)
        yield


@pytest.fixture(scope="session")
def tuf_simulator() -> ModuleType:
    """Return the module of the in-memory TUF repository."""
    return repository_simulator


@pytest.fixture
def repository(tuf_simulator: ModuleType) -> Any:
    """Return a repository that has published one patch, alpha; it stands in for the HTTPS client too."""
    simulator = tuf_simulator.RepositorySimulator()
    simulator.add_patch("alpha")
    simulator.publish()
    return simulator


@pytest.fixture(scope="session")
def certificates() -> ModuleType:
    """Return the module of throw-away authorities and web ports."""
    return certificates_module


@pytest.fixture
def ca() -> TestCA:
    """Return a swarm CA for one test."""
    return TestCA("swarm CA")


@pytest.fixture
def payload_of(tmp_path: Path) -> Callable[[int], Payload]:
    """Return a maker of random payloads of a size."""
    return lambda size: make_payload(size, tmp_path / "made")


@pytest.fixture
def open_endpoint(ca: TestCA, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Endpoint]]:
    """Return an opener of real engines on addresses of their own."""
    numbers = itertools.count()

    def opened(
        *, identity: SwarmIdentity | None = None, directory: Path | None = None, port: int = 0
    ) -> AbstractAsyncContextManager[Endpoint]:
        return open_test_endpoint(
            directory or tmp_path / f"endpoint-{next(numbers)}", identity or make_identity(ca), port=port
        )

    return opened
