"""The origin port starts, stops, and outlives a busy database."""

from pathlib import Path

import pytest
import trio

from p2pdist.shared.errors import FaultKind, UserError
from tests.helpers.origin_endpoint import Connection
from tests.helpers.origin_harness import SERVER_ADDRESS, Lab, fetch, running_lab


class TestStartAndStop:
    async def test_stopping_says_goodbye(self, tmp_path: Path) -> None:
        reasons: list[str] = []

        async def wait(control: Connection) -> None:
            reasons.append(await control.closed())

        async with trio.open_nursery() as nursery, running_lab(tmp_path) as lab:
            control, _ = await lab.control(lab.identity())
            lab.connections.clear()
            nursery.start_soon(wait, control)
        assert reasons == ["the seed server is stopping"]
        await control.aclose()

    async def test_last_news_is_written(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            patch = await lab.publish(2)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            await fetch(lab, endpoint, patch, 2)
            written: dict = {}
            close = lab.database.close
            lab.database.close = lambda: (written.update(lab.database.wan_bytes()), close())[1]  # type: ignore[method-assign]
        assert list(written.values()) == [patch.length_bytes]

    async def test_address_in_use_is_named(self, lab: Lab, tmp_path: Path) -> None:
        (tmp_path / "second").mkdir()
        with pytest.RaisesGroup(pytest.RaisesExc(UserError, match=f"{SERVER_ADDRESS}:{lab.port}")) as caught:
            async with running_lab(tmp_path / "second", origin_port=lab.port):
                pass
        (error,) = caught.value.exceptions
        assert isinstance(error, UserError)
        assert error.kind == FaultKind.BUSY

    async def test_a_busy_database_does_not_stop_the_port(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        add = lab.database.add_wan_bytes

        def busy(*arguments: object) -> None:
            raise UserError("held by another process", FaultKind.BUSY)

        monkeypatch.setattr(lab.database, "add_wan_bytes", busy)
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]
        await lab.server._records.flush()
        assert lab.database.wan_bytes() == {}
        monkeypatch.setattr(lab.database, "add_wan_bytes", add)
        await lab.server._records.flush()
        assert sum(lab.database.wan_bytes().values()) == patch.length_bytes
