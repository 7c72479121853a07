"""The demo's last part: a bad version is halted in its second ring, the good one opens to PCs after an approval.

Alice publishes both, Bob withdraws one and approves the other, each by an API token of an account of their own. The
approval is signed with a key that Bob alone has, and PCs want it: the offline role has named him an approver. What
became of it, and who did what, is read from the server's database: a process for each question would take seconds.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio
from rich.table import Table
from rich.text import Text

from bench.demo_app import APP_ID, build_version, make_sick, running_version
from bench.fleet import POLL_SECONDS, Fleet
from bench.fleet_processes import FleetError, run_command
from p2pdist.shared import durable_files
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.merkle_log import proves_inclusion
from seed_server.fleet import approver_list, audit_queries, rollout_queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_queries import LoggedEntry, Wanted
from seed_server.fleet.context import Context
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_queries import RolloutView
from seed_server.fleet.rollout_words import why_sentence
from seed_server.settings.home import ServerHome
from seed_server.signer.new_key import make_key
from seed_server.signing.key_files import OfflineKeys

TESTER = 1  # the endpoint with the tag "test": the first ring
OFFICE = (2, 3)  # the second ring, where the bad version is not healthy; the kiosk is the third
BAD, GOOD = "3.0", "3.1"
REASON = "not healthy in the office"
TEMPLATE = """title = "Three rings within seconds"
approvals = 1

[[ring]]
name = "test"
who = '"test" in tags'
soak = "1s"
success = 90
failure = 0

[[ring]]
name = "office"
who = '"kiosk" not in tags'
soak = "1s"
success = 90
failure = 0

[[ring]]
name = "all"
soak = "1s"
success = 90
failure = 0
approval = true
"""
ROLES = {"alice": ("operator", ("publish", "roll-out")), "bob": ("approver", ("withdraw", "approve"))}
APPROVERS = ("bob", "carol")  # one is required, and one more: it may be the author who is one of them
STATE_STYLES = {"complete": "green", "aborted": "red"}
WITHIN_SECONDS = 60.0  # many times what a ring of two PCs takes
MOST_ENTRIES = 1_000  # of the audit log; the demo makes some thirty


class Company:
    """The server as its people use it, and what it knows."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        self.context = Context(ServerHome(fleet.server.home))
        self._directory = directory
        self._template = directory / "demo-rings.toml"
        self._template.write_text(TEMPLATE)
        self._said_open: dict[int, int] = {}

    async def hire(self) -> None:
        """Make the accounts and tokens of `ROLES`."""
        async with trio.open_nursery() as nursery:
            for name in ROLES:
                nursery.start_soon(self._hire, name)

    async def _hire(self, name: str) -> None:
        role, rights = ROLES[name]
        await self.fleet.on_server("people", "add", name, "--role", role, "--no-password")
        asked = [part for right in rights for part in ("--right", right)]
        token = await self.fleet.on_server("api-token", "make", "the demo", "--for", name, "--ttl", "1h", *asked)
        durable_files.write_file(self._token_file(name), token.encode(), mode=0o600)

    def name_approvers(self) -> Approvers:
        """Make a key for each of `APPROVERS`, and have the offline role tell PCs to want the word of one of them.

        Returns what is signed; it holds for what is published in a later second. Blocking. Raises `UserError`.
        """
        file, lines = self._directory / "approvers.toml", ["required = 1", "[keys]"]
        for name in APPROVERS:
            public = make_key(self._directory / name, "approver", None).public
            lines.append(f'{name} = "{public.relative_to(self._directory)}"')
        file.write_text("\n".join(lines))
        keys = OfflineKeys(self.context.home.offline_keys)
        signed = approver_list.set_approvers(self.context, Actor.local_user("the administrator"), file, keys)
        assert signed is not None
        return signed

    def own_key(self, name: str) -> Path:
        """Return the file of an approver's own key."""
        return self._directory / name / "approver.pem"

    async def act(self, name: str, *command: str | Path) -> str:
        """Run a command of the seed server as ``name``, or as the machine's administrator where that is empty.

        Returns what it prints. Raises `FleetError`.
        """
        token: tuple[str | Path, ...] = ("--token-file", self._token_file(name)) if name else ()
        return await run_command("seed-server", *token, *command, "--home", self.fleet.server.home)

    async def start(self, name: str, recipe: Path) -> int:
        """Publish by rings as ``name``, and return the rollout's number."""
        await self.act(name, "publish", "--recipe", recipe, "--template", self._template)
        return (await trio.to_thread.run_sync(rollout_queries.read_rollouts, self.context))[0].row.number

    async def look(self, rollout: int) -> RolloutView:
        """Return how a rollout stands."""
        return await trio.to_thread.run_sync(rollout_queries.read_rollout, self.context, rollout)

    async def until(self, rollout: int, state: RolloutState, say: Callable[[str], None]) -> RolloutView:
        """Follow a rollout until it is in ``state``, saying which rings open. Raises `FleetError` after a minute."""
        with trio.move_on_after(WITHIN_SECONDS):
            while True:
                view = await self.look(rollout)
                progress = view.kept.progress
                for ring in view.kept.plan.rings[self._said_open.get(rollout, 0) : len(progress.opened_at)]:
                    say(f"{view.kept.plan.ref}: ring {ring.name} is open")
                self._said_open[rollout] = len(progress.opened_at)
                if progress.state is state:
                    return view
                await trio.sleep(POLL_SECONDS)
        raise FleetError(
            f"rollout {rollout} is not {state.value} within {WITHIN_SECONDS:.0f} s: {why_sentence(view.why)}\n"
            f"{self.fleet.server.log_tail()}"
        )

    async def entries(self) -> list[LoggedEntry]:
        """Return the audit log, the oldest entry first."""
        found = await trio.to_thread.run_sync(
            audit_queries.newest_entries, self.context, Wanted(), MOST_ENTRIES
        )  # fmt: skip
        return found[::-1]

    def _token_file(self, name: str) -> Path:
        return self._directory / f"{name}.api-token"


async def rollouts(company: Company, directory: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Roll out a bad version and a good one, and return what became of both, and the audit log."""
    fleet = company.fleet
    for k in OFFICE:
        make_sick(fleet.endpoints[k])
    before = {k: running_version(member) for k, member in fleet.endpoints.items()}
    say(f"alice rolls out {APP_ID} {BAD}, which will not be healthy in the office")
    recipe = build_version(directory, BAD, can_be_sick=True)
    bad = await company.start("alice", recipe)
    halted, seconds = await halt(company, bad, say)
    say(f"{APP_ID}@{BAD}: halted {seconds:.1f} s after the first PC saw it")
    say(why_sentence(halted.why))
    approvers = await trio.to_thread.run_sync(company.name_approvers)
    say(f"the offline key has signed: PCs want the word of {' or '.join(approvers.keys)}, each by a key of their own")
    await company.act("bob", "withdraw", f"{APP_ID}@{BAD}", "--reason", REASON)
    say(f"bob has withdrawn it: {REASON}")
    _check_runs(fleet, before | {TESTER: f"{APP_ID} {BAD}"})
    say(f"alice rolls out {APP_ID} {GOOD} by the same rings")
    await trio.sleep(
        max(0.0, approvers.since + 1 - time.time())
    )  # what is published in the very second needs no approval
    good = await company.start("alice", build_version(directory, GOOD))
    waiting = await company.until(good, RolloutState.UNAPPROVED, say)
    say(f"{APP_ID}@{GOOD}: ring {waiting.why.ring} waits for approval")
    await company.act("bob", "rollout", "approve", str(good), "--key", company.own_key("bob"))
    say("bob has approved it with his own key, and PCs verify that")
    complete = await company.until(good, RolloutState.COMPLETE, say)
    _check_runs(fleet, dict.fromkeys(fleet.endpoints, f"{APP_ID} {GOOD}"))
    entries = await company.entries()
    return {
        "approvers": {"required": approvers.required, "names": sorted(approvers.keys)},
        "rollouts": [
            # where it is installed, PCs say later that it is not for them any more
            _facts(await company.look(bad), entries, halted.tallies) | {"halt_seconds": seconds},
            _facts(complete, entries, complete.tallies) | {"halt_seconds": None},
        ],
        "audit": await trio.to_thread.run_sync(_audit, company.context, entries),
    }


async def halt(company: Company, rollout: int, say: Callable[[str], None]) -> tuple[RolloutView, float]:
    """Follow a rollout until it has halted, and return how many seconds after the first PC had rolled back."""
    fleet, saw_at = company.fleet, time.time()

    async def see() -> None:
        nonlocal saw_at
        await fleet.wait_until(
            lambda: any(member.install_state(APP_ID, BAD) == "rolled_back" for member in fleet.endpoints.values()),
            WITHIN_SECONDS,
            f"{APP_ID} {BAD} being rolled back",
        )
        saw_at = time.time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(see)
        view = await company.until(rollout, RolloutState.HALTED, say)
    return view, max(0.0, view.kept.progress.why.since - saw_at)


def _check_runs(fleet: Fleet, versions: dict[int, str]) -> None:
    """Raise `FleetError` where an endpoint runs another version."""
    for k, member in fleet.endpoints.items():
        if (runs := running_version(member)) != versions[k]:
            raise FleetError(f"{member.name} runs {runs!r}, and {versions[k]!r} was to be expected")


# --- what is shown -----------------------------------------------------------------------


def _facts(view: RolloutView, entries: list[LoggedEntry], tallies: Sequence[RingTally]) -> dict[str, Any]:
    kept, opened = view.kept, len(view.kept.progress.opened_at)
    rows = (one.entry for one in entries if one.entry.subject == str(kept.row.number))
    states = [row.details["state"] for row in rows if "state" in row.details]
    return {
        "patch": str(kept.plan.ref),
        "state": kept.progress.state.value,
        "states": [state for place, state in enumerate(states) if state not in states[max(0, place - 1) : place]],
        "reason": view.why.reason.value,
        "started_by": kept.row.author,
        "approved_by": [one.who for one in kept.approvals],
        "signed_by": [one.approver for one in kept.approvals if one.signature],
        "rings": [
            {
                "name": ring.name,
                "open": place < opened,
                "installed": tally.installed,
                "rolled_back": tally.rolled_back,
                "waiting": tally.waiting,
            }
            for place, (ring, tally) in enumerate(zip(kept.plan.rings, tallies, strict=True))
        ],
    }


def _audit(context: Context, entries: list[LoggedEntry]) -> dict[str, Any]:
    """Return who did what to the rollouts, each with whether its proof holds. Blocking."""
    patches = {
        str(kept.row.number): str(kept.plan.ref) for kept in rollout_queries.read_rollouts(context)
    }  # fmt: skip
    told = (
        "start rollout",
        "rollout: it is halted",
        "withdraw",
        "approve rollout",
        "rollout: the last ring is through",
    )
    verdict = audit_queries.verify_log(context).verdict
    return {
        "whole": not verdict.problems,
        "entries": verdict.size,
        "who_did_what": [
            {
                "entry": one.entry.number,
                "who": one.entry.actor,
                "did": one.entry.operation,
                "to": patches.get(one.entry.subject, one.entry.subject),
                "because": one.entry.reason,
                "proved": _is_proved(context, one),
            }
            for one in entries
            if one.entry.operation in told
        ],
    }


def _is_proved(context: Context, one: LoggedEntry) -> bool:
    """Whether the log proves an entry to somebody who has nothing but its signed checkpoint."""
    proof = audit_queries.prove_entry(context, one.entry.number)
    signed = proof.checkpoint
    return proves_inclusion(one.leaf, one.entry.number, signed.size, proof.hashes, signed.root)


def rollout_table(rows: list[dict[str, Any]]) -> Table:
    """Return both rollouts for people, a line for each ring."""
    table = Table(title="Both versions by rings", title_justify="left")
    for column in ("patch", "state", "ring"):
        table.add_column(column)
    for column in ("installed", "rolled back", "waiting"):
        table.add_column(column, justify="right")
    for row in rows:
        state = Text(row["state"], STATE_STYLES.get(row["state"], "yellow"))
        for place, ring in enumerate(row["rings"]):
            name = ring["name"] if ring["open"] else f"{ring['name']} (closed)"
            first = (row["patch"], state) if place == 0 else ("", "")
            table.add_row(*first, name, str(ring["installed"]), str(ring["rolled_back"]), str(ring["waiting"]))
        table.add_section()
    return table


def audit_table(audit: dict[str, Any]) -> Table:
    """Return who did what, for people."""
    verdict = "whole" if audit["whole"] else "NOT whole"
    table = Table(
        title=f"The audit log is {verdict}: {audit['entries']} entries, these among them", title_justify="left"
    )
    for column in ("who", "did", "to", "because", "proved"):
        table.add_column(column)
    for row in audit["who_did_what"]:
        proved = Text("yes", "green") if row["proved"] else Text("no", "red")
        table.add_row(row["who"].partition("/")[0], row["did"], row["to"], row["because"], proved)
    return table
