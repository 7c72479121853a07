"""PCs of other releases at the origin port: the one before is served, a newer one is where it can be understood."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.data_messages import DataHello, Piece
from p2pdist.shared.wire.features import PACE, TIMESTAMP
from p2pdist.shared.wire.messages import (
    OLDEST_PROTOCOL,
    PROTOCOL_VERSION,
    Pace,
    Report,
    RepositoryChanged,
)
from seed_server.signing.metadata import NewestTimestamp
from tests.helpers.origin_endpoint import INSTANCE, hello, packed
from tests.helpers.origin_harness import TEST_LIMITS, Lab, running_lab

NEWER = packed({"t": "launch", "x": 1})
REPORT = packed({"t": "report", "patches": [], "refuses": "", "newer": [1, {"x": 2}]})
FLOOD = 5_000


def first(connection: str, protocol: int) -> Message:
    if connection == "control":
        return hello("127.0.8.9", protocol=protocol)
    return DataHello(protocol=protocol, instance=INSTANCE, large_packets_lost=False)


class TestOtherReleases:
    @pytest.mark.parametrize("connection", ["control", "data"])
    @pytest.mark.parametrize(
        ("protocol", "cure"),
        [(OLDEST_PROTOCOL - 1, "upgrade p2pdist"), (PROTOCOL_VERSION + 1, "upgrade the server")],
    )
    async def test_another_protocol_is_refused_with_what_to_upgrade(
        self, lab: Lab, connection: str, protocol: int, cure: str
    ) -> None:
        raw = await lab.connect(lab.own_context(lab.identity()))
        await raw.send(first(connection, protocol))
        reason = await raw.closed()
        assert f"not {protocol}" in reason
        assert reason.endswith(cure)

    async def test_a_hello_of_long_ago_is_told_to_upgrade_although_it_lacks_fields(self, lab: Lab) -> None:
        raw = await lab.connect(lab.own_context(lab.identity()))
        await raw.send_raw(packed({"t": "hello", "protocol": 4, "software": "p2pdist 0.1"}))
        assert (await raw.closed()).endswith("upgrade p2pdist")

    @pytest.mark.parametrize("protocol", [OLDEST_PROTOCOL, PROTOCOL_VERSION])
    async def test_this_protocol_and_the_one_before_are_served(self, lab: Lab, protocol: int) -> None:
        patch = await lab.publish(1)
        endpoint = await lab.endpoint(protocol=protocol)
        await endpoint.want(patch)
        assert (await endpoint.data.expect(Piece)).torrent == patch.torrent_hash

    async def test_only_who_names_a_feature_is_sent_what_it_brings(self, lab: Lab) -> None:
        older, _ = await lab.control(lab.identity(), protocol=OLDEST_PROTOCOL)
        newer, _ = await lab.control(lab.identity(), features=[TIMESTAMP, "not_known_here"])
        renewed = NewestTimestamp(data=b"{}", version=2, issued_at=0.0, life_seconds=0.1, root=1, snapshot=1)
        await lab.server.repository_changed(2, renewed)
        assert await older.expect(RepositoryChanged) == RepositoryChanged(timestamp_version=2)
        told = RepositoryChanged(timestamp_version=2, timestamp=b"{}", root_version=1)
        assert await newer.expect(RepositoryChanged) == told

    async def test_a_pc_that_reports_is_told_another_pace(self, tmp_path: Path) -> None:
        limits = replace(TEST_LIMITS, reports_per_second=1.0)
        async with running_lab(tmp_path, limits=limits) as lab:
            newer, welcome = await lab.control(lab.identity(), features=[PACE])
            assert welcome.pace == Pace(report_seconds=2.0)
            older, welcome = await lab.control(lab.identity(), protocol=OLDEST_PROTOCOL)
            assert welcome.pace is None
            for _ in range(3):
                await lab.control(lab.identity())
            for control in (newer, older):
                await control.send(Report(patches=[], refuses=""))
            assert await newer.expect(Pace) == Pace(report_seconds=8.0)
            await lab.server.repository_changed(2)
            said = [await older.receive()]
            while not isinstance(said[-1], RepositoryChanged):
                said.append(await older.receive())
            assert Pace not in {type(message) for message in said}

    async def test_what_a_newer_pc_says_besides_ends_nothing_and_is_logged_once(self, lab: Lab) -> None:
        control, _ = await lab.control(lab.identity(), features=["not_known_here"])
        with capture_logs() as logged:
            for frame in (NEWER, REPORT, NEWER, NEWER):
                await control.send_raw(frame)
            await control.send_raw(packed({"t": "goodbye", "reason": "bye", "cause": "", "others": []}))
            await control.closed()
        told = [line for line in logged if "newer PC" in line["event"]]
        assert [line["kind"] for line in told] == ["launch"]
        assert [line["count"] for line in logged if "were ignored" in line["event"]] == [3]
        await lab.still_serves()

    async def test_of_the_protocol_before_an_unknown_kind_is_a_malformed_message(self, lab: Lab) -> None:
        control, _ = await lab.control(lab.identity(), protocol=OLDEST_PROTOCOL)
        await control.send_raw(NEWER)
        assert "malformed message" in await control.closed()

    async def test_unknown_kinds_have_a_budget_as_others(self, lab: Lab) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send_raw(NEWER * FLOOD)
        assert "too many messages" in await control.closed()
