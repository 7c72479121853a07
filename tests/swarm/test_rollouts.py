"""Rollouts by rings with a real server and real daemons: what is bad stops, and reaches nobody else."""

import datetime as dt
import re
from functools import partial
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from bench.demo_app import APP_ID, build_version, make_sick, root_of, running_version
from bench.demo_rollouts import BAD, GOOD, OFFICE, REASON, TESTER, Company, halt
from bench.fleet import POLL_SECONDS, Fleet, Member, is_connected, open_fleet
from bench.fleet_processes import FleetError
from p2pdist.local_api.messages import PLAN
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome
from p2pdist.shared.merkle_log import proves_inclusion
from p2pdist.shared.wire import codec
from seed_server.fleet import audit_queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_documents import KeptRollout

pytestmark = pytest.mark.processes

WITHIN_SECONDS = 60.0  # each takes seconds; a machine may be busy
HALT_SECONDS = 10.0  # the promises
BEGUN_SECONDS = 30.0
SETTLE_SECONDS = 2.0  # a PC that may take something begins within this
NOT_OPEN = "its ring is not open: ring test"
NOT_APPROVED = "it is not approved for this PC's ring: 0 of 1 approvals"
BEGUN = re.compile(rf"timestamp=(\S+) .*event=installing patch={APP_ID} version={re.escape(BAD)}")


def begun(member: Member) -> list[float]:
    """Return when a PC began to install the bad version, to a second."""
    found = BEGUN.findall(member.log.read_text()) if member.log.exists() else []
    return [dt.datetime.fromisoformat(text).timestamp() for text in found]


def has_nothing(member: Member) -> bool:
    """Whether a PC has no byte of any patch, and knows of none that is for it."""
    files = [*(member.home / "cache").glob("*"), *(member.home / "patches").glob("*"), *root_of(member).rglob("bin")]
    return member.latest is not None and not files


async def start(fleet: Fleet, *numbers: int) -> None:
    await fleet.start_server()
    fleet.endpoints[TESTER].tags = ("test",)
    for k, member in fleet.endpoints.items():
        if k > max(OFFICE):
            member.tags = ("kiosk",)
    async with trio.open_nursery() as nursery:
        for k in numbers:
            nursery.start_soon(fleet.start_endpoint, k)


def open_first_ring(company: Company, number: int) -> None:
    """Write into the server's database that a ring is open that nobody has approved, as its thief may. Blocking."""
    with company.context.database() as database:
        row = database.rollout(number)
        assert row is not None
        now, progress = company.context.clock.now(), KeptRollout.of(row).progress
        opened = replace(progress, state=RolloutState.RUNNING, opened_at=(int(now),))
        database.change_rollout(number, state=opened.state, progress=codec.encode(opened), now=now)


async def reason_of(member: Member) -> str:
    """Return what a PC says that the bad version waits for; empty: it knows none."""
    answer = await ask_daemon(EndpointHome(member.home).socket, PLAN)
    return next((row.reason for row in answer.patches if row.version == BAD), "")


async def who_did_what(company: Company, *, thief: bool = False) -> list[tuple[str, str]]:
    """Return what the log says of rollouts, after it was held to all that vouches for it; ``thief``: has been here."""
    check = await trio.to_thread.run_sync(audit_queries.verify_log, company.context)
    assert ["its record was changed behind the log" in problem for problem in check.verdict.problems] == [True] * thief
    entries = await company.entries()
    for one in entries:
        proof = audit_queries.prove_entry(company.context, one.entry.number)
        signed = proof.checkpoint
        assert proves_inclusion(one.leaf, one.entry.number, signed.size, proof.hashes, signed.root)
    told = [(one.entry.actor.partition("/")[0], one.entry.operation) for one in entries]
    return [row for row in told if "rollout" in row[1] or row[1] == "withdraw"]


async def test_what_is_bad_is_halted_in_the_second_ring_and_reaches_nobody_else(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.91", endpoints=4) as fleet:
        company, kiosk = Company(fleet, tmp_path), fleet.endpoints[4]
        await fleet.init_server()
        await trio.to_thread.run_sync(company.name_approvers)
        await start(fleet, TESTER, 2, 4)
        make_sick(fleet.endpoints[2])
        number = await company.start("", build_version(tmp_path, BAD, can_be_sick=True))
        await company.until(number, RolloutState.UNAPPROVED, print)
        await trio.to_thread.run_sync(open_first_ring, company, number)
        with trio.fail_after(WITHIN_SECONDS):
            while (waits := await reason_of(fleet.endpoints[TESTER])) != NOT_APPROVED:
                assert waits in {"", NOT_OPEN}
                await trio.sleep(POLL_SECONDS)
        await company.until(number, RolloutState.UNAPPROVED, print)  # the server notices it, too
        await fleet.kill9(fleet.endpoints[TESTER])  # it would decide before the server looks again, or after it
        bob, key = Actor.local_user("bob"), company.own_key("bob")
        await trio.to_thread.run_sync(partial(approve_rollout, company.context, bob, number, key=key))
        await company.until(number, RolloutState.RUNNING, print)
        await fleet.start_endpoint(TESTER)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fleet.enrol, 3)  # one of the office, which is off all the time
            halted, seconds = await halt(company, number, print)
        assert halted.why.reason is RolloutReason.FAILURES
        assert halted.why.ring == "office"
        assert seconds <= HALT_SECONDS
        await company.act("", "withdraw", f"{APP_ID}@{BAD}", "--reason", REASON)
        aborted = (await company.look(number)).kept.progress
        assert (aborted.state, aborted.why.reason) == (RolloutState.ABORTED, RolloutReason.WITHDRAWN)

        await fleet.start_endpoint(3)
        await trio.sleep(SETTLE_SECONDS)
        assert has_nothing(fleet.endpoints[3])
        assert has_nothing(kiosk)
        assert running_version(fleet.endpoints[TESTER]) == f"{APP_ID} {BAD}"
        assert [len(begun(member)) for member in fleet.endpoints.values()] == [1, 1, 0, 0]
        assert max(begun(fleet.endpoints[2])) <= halted.why.since + BEGUN_SECONDS
        who = next(actor for actor, did in await who_did_what(company, thief=True) if did == "withdraw")
        assert await who_did_what(company, thief=True) == [
            (who, "start rollout"),
            *[("engine", "rollout: the next ring lacks approvals")] * 2,  # before and after the thief
            ("local:bob", "approve rollout"),
            ("engine", "rollout: PCs are to decide again"),  # the ring that the thief opened, with approval now
            ("engine", "rollout: a ring opens"),
            ("engine", "rollout: it is halted"),
            (who, "abort rollout"),
            (who, "withdraw"),
        ]
        assert who.startswith("local:")


@pytest.mark.slow
async def test_eight_pcs_and_two_people(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.91", endpoints=8) as fleet:
        company, away = Company(fleet, tmp_path), fleet.endpoints[3]
        await start(fleet, *fleet.endpoints)
        await company.hire()
        await fleet.publish_recipe(build_version(tmp_path, "1.0"))
        members = list(fleet.endpoints.values())

        async def everywhere(version: str) -> None:
            def all_have_it() -> bool:
                return all(member.install_state(APP_ID, version) == "installed" for member in members)

            await fleet.wait_until(all_have_it, WITHIN_SECONDS, f"{version} everywhere")

        await everywhere("1.0")
        make_sick(fleet.endpoints[2])
        bad = await company.start("alice", build_version(tmp_path, BAD, can_be_sick=True, within_seconds=2))
        await fleet.wait_until(lambda: away.patch(APP_ID).version == BAD, WITHIN_SECONDS, "its being told")
        await fleet.kill9(away)
        halted, seconds = await halt(company, bad, print)
        assert halted.why.ring == "office"
        assert seconds <= HALT_SECONDS
        await company.act("bob", "withdraw", f"{APP_ID}@{BAD}", "--reason", REASON)
        await fleet.start_endpoint(3)
        await fleet.wait_until(lambda: is_connected(away), WITHIN_SECONDS, "its return")
        await trio.sleep(SETTLE_SECONDS)
        began = [moment for member in members for moment in begun(member)]
        assert max(began) <= halted.why.since + BEGUN_SECONDS
        assert not any(begun(member) for member in members if member.tags == ("kiosk",))
        assert [running_version(member) for member in members[3:]] == [f"{APP_ID} 1.0"] * 5

        good = await company.start("alice", build_version(tmp_path, GOOD))
        await company.until(good, RolloutState.UNAPPROVED, print)
        with pytest.raises(FleetError, match="the right 'approve' is missing"):
            await company.act("alice", "rollout", "approve", str(good))
        assert {member.install_state(APP_ID, GOOD) for member in members[3:]} <= {""}
        await company.act("bob", "rollout", "approve", str(good))
        await company.until(good, RolloutState.COMPLETE, print)
        await everywhere(GOOD)
        told = await who_did_what(company)
        assert [row for row in told if row[0] != "engine"] == [
            ("alice", "start rollout"),
            ("bob", "abort rollout"),
            ("bob", "withdraw"),
            ("alice", "start rollout"),
            ("bob", "approve rollout"),
        ]
        assert told[-1] == ("engine", "rollout: the last ring is through")
