"""The lab measures what it says: the line's rate, delay, queue and loss are exact, and nothing is left behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from bench.lab.business import Program, business_server, call, flow, program, read_lines, running
from bench.lab.measures import voip_figures
from bench.lab.namespaces import all_namespaces, name_prefix, owner_lives, remove_stale, start_ticks
from bench.lab.queue_log import BUSINESS, read_log
from bench.lab.topology import Host, Lab, LabShape, open_lab
from bench.lab.wan_link import LineShape, line_shape

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
LINE = line_shape(20, 10, rtt_ms=40, buffer_ms=200)
DATAGRAM_BYTES = 1000
IP_BYTES = DATAGRAM_BYTES + 28
WIRE_MS = IP_BYTES * 8 / 20_000
BUSY_MACHINE_MS = 8.0  # a processor shared with other tests may be late; medians are not
SETTLE_SECONDS = 4.0  # CUBIC's slow start and its first loss

BLAST = f"""
import socket, struct, sys, time
target, count, gap = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((target, 5004))
start = time.monotonic()
for number in range(count):
    while time.monotonic() < start + number * gap:
        pass
    try:
        out.send(struct.pack("!QI", time.clock_gettime_ns(time.CLOCK_REALTIME), number).ljust({DATAGRAM_BYTES}, b"\\0"))
    except ConnectionRefusedError:
        pass
"""


def now_ms() -> float:
    return time.monotonic_ns() / 1e6


async def blast(source: Host, target: Host, count: int, directory: Path, *, gap: float = 0.0) -> list[list[float]]:
    """Send datagrams as fast as asked; return [sent ns, number, delay ns] of those that came."""
    log = directory / f"blast-{target.address}.jsonl"
    receive = program("voip-receive", target.address, log)
    async with running(target, f"blast-in-{target.address}", receive, directory) as receiver:
        await listening(receiver, target)
        await trio.run_process(source.command(sys.executable, "-c", BLAST, target.address, count, gap))
        seen = -1
        while seen != len(read_lines(log)):  # until nothing came for as long as the line can hold a packet
            seen = len(read_lines(log))
            await trio.sleep(0.6)
    return read_lines(log)


async def listening(receiver: Program, host: Host) -> None:
    with trio.fail_after(20):
        while not (await trio.run_process(host.command("ss", "-Hlun"), capture_stdout=True)).stdout.strip():
            receiver.check()
            await trio.sleep(0.05)


async def counted(lab: Lab) -> tuple[int, int]:
    """Return how many business packets were dropped by the queue, and lost on the line, towards the branch."""
    counters = (await lab.branches[0].line.counters()).down.classes[BUSINESS]
    return counters.dropped, counters.lost


async def test_rate_delay_and_buffer_are_exact(tmp_path: Path) -> None:
    async with open_lab(LabShape((LINE,), endpoints=0), tmp_path) as lab:
        branch = lab.branches[0]
        start = now_ms()
        came = await blast(lab.head, branch.business, 1500, tmp_path)
        end = now_ms()
        dropped, lost = await counted(lab)
        assert lost == 0
        assert len(came) + dropped == 1500
        assert dropped > 500

        log = read_log(branch.line.log).down
        longest = max(record.backlog_max_bytes for _, record in log.between(start, end))
        assert LINE.down.buffer_bytes - IP_BYTES < longest <= LINE.down.buffer_bytes
        assert min(delay for _, _, delay in came) / 1e6 == pytest.approx(20 + WIRE_MS, abs=1.0)
        full = LINE.down.buffer_bytes // IP_BYTES * WIRE_MS
        assert max(delay for _, _, delay in came) / 1e6 == pytest.approx(20 + full + WIRE_MS, abs=BUSY_MACHINE_MS)

        # the earliest readings tell the rate: a busy machine reads packets late, and never early; it may also send the
        # first ones late, while the line is empty
        spacing_ns = IP_BYTES * 8 / 20e6 * 1e9
        filled_ms = next(at for at, record in log.between(start, end) if record.backlog_max_bytes >= longest / 2)
        arrivals = sorted(sent + delay for sent, _, delay in came if sent / 1e6 >= filled_ms)
        assert len(arrivals) > 100
        offsets = [arrival - n * spacing_ns for n, arrival in enumerate(arrivals)]
        half = len(offsets) // 2
        assert min(offsets[half:]) - min(offsets[:half]) == pytest.approx(0, abs=0.01 * half * spacing_ns)


@pytest.mark.slow
async def test_cubic_alone_fills_the_line_and_a_call_sees_its_queue(tmp_path: Path) -> None:
    async with open_lab(LabShape((LINE,), endpoints=0), tmp_path) as lab:
        branch = lab.branches[0]
        async with business_server(lab.head, tmp_path), call(branch.business, lab.head, tmp_path) as (down, up):
            start = now_ms()
            await trio.sleep(1.5)
            alone = now_ms()
            assert voip_figures(down.packets(), start, alone).p50_ms == pytest.approx(20.2, abs=0.5)
            assert voip_figures(up.packets(), start, alone).p50_ms == pytest.approx(20.2, abs=0.5)
            async with flow("download", branch.business, lab.head, tmp_path) as download:
                await trio.sleep(SETTLE_SECONDS)
                start = now_ms()
                await trio.sleep(4.0)
                end = now_ms()
                assert 0.93 * 20 < download.goodput().mbit_per_second(start, end) < 20
            await branch.line.counters()
            log = read_log(branch.line.log).down
            heard = voip_figures(down.packets(), start, end - 500)
            assert heard.p50_ms - 20 == pytest.approx(log.queue_percentile_ms(0.5, start, end), abs=15)
            assert log.sent_bytes(start, end) * 8 / ((end - start) / 1000) == pytest.approx(20e6, rel=0.02)


@pytest.mark.slow
async def test_fair_queueing_keeps_a_call_from_a_downloads_queue(tmp_path: Path) -> None:
    fair = line_shape(20, 10, rtt_ms=40, buffer_ms=200, queue="fq")
    async with open_lab(LabShape((fair,), endpoints=0), tmp_path) as lab:
        branch = lab.branches[0]
        async with (
            business_server(lab.head, tmp_path),
            call(branch.business, lab.head, tmp_path) as (down, _),
            flow("download", branch.business, lab.head, tmp_path) as download,
        ):
            await trio.sleep(SETTLE_SECONDS)
            start = now_ms()
            await trio.sleep(2.0)
            end = now_ms()
            assert voip_figures(down.packets(), start, end).p50_ms < 23
            assert download.goodput().mbit_per_second(start, end) > 0.85 * 20


async def test_loss_and_a_change_of_rate(tmp_path: Path) -> None:
    lossy = LineShape(line_shape(20, 10, rtt_ms=40, buffer_ms=200, loss=0.1).down, LINE.up)
    async with open_lab(LabShape((lossy,), endpoints=0), tmp_path) as lab:
        line = lab.branches[0].line
        came = await blast(lab.head, lab.branches[0].business, 1000, tmp_path, gap=0.0006)
        dropped, lost = await counted(lab)
        assert (dropped, len(came) + lost) == (0, 1000)
        assert 60 < lost < 140
        await line.set_rate("down", 5)
        start = now_ms()
        await blast(lab.head, lab.branches[0].business, 600, tmp_path)
        await line.counters()
        log = read_log(line.log).down
        first = next(at for at, record in log.between(start, now_ms()) if record.backlog_max_bytes > 100_000)
        assert log.rate_series(first, first + 400, 400)[0] == pytest.approx(5, rel=0.05)


async def test_a_cut_line_loses_all_that_is_in_it_and_comes_until_it_is_mended(tmp_path: Path) -> None:
    async with open_lab(LabShape((LINE,), endpoints=0), tmp_path) as lab:
        line, pc = lab.branches[0].line, lab.branches[0].business
        async with business_server(lab.head, tmp_path), flow("download", pc, lab.head, tmp_path) as download:
            await trio.sleep(1.0)
            await line.cut()
            cut = now_ms()
            await trio.sleep(1.0)
            during = await line.counters()
            assert during.down.classes[BUSINESS].lost > 0, "its queue, and what is sent again"
            assert read_log(line.log).down.sent_bytes(cut + 1, now_ms()) == 0
            got = download.goodput().bytes_at(cut + 200)  # it writes down ten times a second what had come
            assert download.goodput().bytes_at(now_ms()) == got
            await line.mend()
            with trio.fail_after(10):  # TCP tries again after as long as it was cut, or twice that
                while download.goodput().bytes_at(now_ms()) == got:
                    download.program.check()
                    await trio.sleep(0.1)


async def test_business_meets_the_same_losses_again(tmp_path: Path) -> None:
    lossy = LineShape(line_shape(20, 10, rtt_ms=10, buffer_ms=200, loss=0.1).down, LINE.up)
    async with open_lab(LabShape((lossy,), endpoints=0), tmp_path) as lab:
        branch = lab.branches[0]
        came = []
        for repeated in (True, True, False):
            if repeated:
                await branch.line.repeat_losses()
            came.append([number for _, number, _ in await blast(lab.head, branch.business, 200, tmp_path, gap=0.0006)])
            Path(tmp_path / f"blast-{branch.business.address}.jsonl").unlink()
        assert came[0] == came[1]
        assert came[0] != came[2]


@pytest.mark.slow
async def test_branches_behind_one_uplink_share_it(tmp_path: Path) -> None:
    shape = LabShape((LINE, LINE), endpoints=0, uplink=line_shape(30, 30, rtt_ms=2, buffer_ms=100))
    async with open_lab(shape, tmp_path) as lab:
        first, second = lab.branches
        async with (
            business_server(lab.head, tmp_path),
            flow("download", first.business, lab.head, tmp_path, "first") as one,
            flow("download", second.business, lab.head, tmp_path, "second") as two,
        ):
            await trio.sleep(SETTLE_SECONDS)
            start = now_ms()
            await trio.sleep(2.0)
            end = now_ms()
            total = sum(each.goodput().mbit_per_second(start, end) for each in (one, two))
            assert 0.9 * 30 < total < 30


async def test_nothing_is_left_behind_also_after_an_error(tmp_path: Path) -> None:
    class OnPurposeError(Exception):
        pass

    with pytest.RaisesGroup(pytest.RaisesExc(OnPurposeError), flatten_subgroups=True, allow_unwrapped=True):
        async with open_lab(LabShape((LINE,), endpoints=2), tmp_path) as lab, business_server(lab.head, tmp_path):
            assert any(name.startswith(name_prefix()) for name in all_namespaces())
            raise OnPurposeError
    assert not any(name.startswith(name_prefix()) for name in all_namespaces())


OWNER = """
import sys, trio
from pathlib import Path
from bench.lab.business import business_server
from bench.lab.topology import LabShape, open_lab
from bench.lab.wan_link import line_shape
async def main():
    directory = Path(sys.argv[1])
    shape = LabShape((line_shape(20, 20, rtt_ms=40, buffer_ms=200),), 1)
    async with open_lab(shape, directory) as lab, business_server(lab.head, directory):
        print("up", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
END_SECONDS = 60.0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_a_killed_lab_leaves_is_removed_by_the_next(tmp_path: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        mine = f"-{owner.pid}-{start_ticks(owner.pid)}-"
        assert any(mine in name for name in all_namespaces())
    finally:
        owner.send_signal(number)
        try:
            owner.wait(END_SECONDS)
        finally:
            owner.kill()  # it must not outlive a test that fails
        assert owner.stdout is not None
        owner.stdout.close()
    if number == signal.SIGKILL:
        assert all(owner_lives(name) is False for name in all_namespaces() if mine in name)
        trio.run(remove_stale)
    assert not any(mine in name for name in all_namespaces())
