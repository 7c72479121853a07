"""A branch whose line is cut in the middle: the job goes on when it is back, and nothing crosses the line again."""

import os
from pathlib import Path

import pytest
import trio

from bench.fleet import is_verified
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.namespaces import run
from bench.lab.topology import Branch, LabShape, open_lab
from bench.lab.wan_link import line_shape

pytestmark = pytest.mark.processes

FILE_BYTES = 12_000_000
PIECE_BYTES = 256 << 10
PIECES_ON_THEIR_WAY = 12  # to three endpoints, and not yet told of: on a busy machine, four to each
WITHIN_SECONDS = 60.0  # after the cut: TCP tries again after up to as long as it was


async def forward(branch: Branch, *, on: bool) -> None:
    await run(*branch.router.command("sysctl", "-q", "-w", f"net.ipv4.ip_forward={int(on)}"))


@pytest.mark.slow
@pytest.mark.parametrize("cut_seconds", [5.0, 20.0])
async def test_branch_that_is_cut_off_goes_on_and_fetches_nothing_twice(tmp_path: Path, cut_seconds: float) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(FILE_BYTES))
    shape = LabShape((line_shape(20, 20, rtt_ms=40, buffer_ms=200),), endpoints=3)
    async with open_lab(shape, tmp_path) as lab, open_lab_fleet(lab, tmp_path) as fleet:
        members = fleet.endpoints.values()

        def from_origin() -> int:
            return sum(member.patch("cut").bytes_from_origin for member in members)

        await fleet.publish(payload, "cut")
        await fleet.wait_until(lambda: from_origin() >= FILE_BYTES / 4, WITHIN_SECONDS, "a quarter of the file")
        await forward(lab.branches[0], on=False)
        await trio.sleep(cut_seconds)
        assert from_origin() < FILE_BYTES, "the cut came too late to be one"
        await forward(lab.branches[0], on=True)
        await fleet.wait_until(
            lambda: all(is_verified(member, "cut") for member in members), WITHIN_SECONDS, "all having the file"
        )
        for member in members:
            assert Path(member.patch("cut").path or "").read_bytes() == payload.read_bytes()
        # what was on its way to each endpoint when the line was cut may come again, to another
        assert FILE_BYTES <= from_origin() <= FILE_BYTES + PIECES_ON_THEIR_WAY * PIECE_BYTES
