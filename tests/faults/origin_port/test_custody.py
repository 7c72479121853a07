"""The origin port asks a PC for the install records that it lacks."""

from pathlib import Path

from p2pdist.shared.custody import Custody, CustodyRecord
from p2pdist.shared.merkle_log import EMPTY_ROOT
from p2pdist.shared.wire import features
from p2pdist.shared.wire.custody import CustodyTold, CustodyWanted
from tests.helpers.origin_harness import running_lab


async def test_a_pc_that_tells_its_state_is_asked_for_what_is_lacking(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        endpoint = await lab.endpoint()
        assert features.CUSTODY in endpoint.welcome.features
        custody = Custody().with_record(CustodyRecord(1, "acme", "2", 7, 1, "installed"))
        await endpoint.control.send(CustodyTold(1, custody.root()))
        assert await endpoint.control.expect(CustodyWanted) == CustodyWanted(0, EMPTY_ROOT)
        await lab.still_serves()
