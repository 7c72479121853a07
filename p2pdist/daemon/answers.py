"""Answers to the commands that concern the daemon as a whole: its status, what limits it, its posture."""

from dataclasses import dataclass

import msgspec
import trio

from p2pdist import __version__
from p2pdist.daemon.audit_witness import AuditWitness
from p2pdist.daemon.disk_keeper import DiskKeeper
from p2pdist.daemon.finding_news import finding_codes
from p2pdist.daemon.server_place import server_handlers
from p2pdist.daemon.state import DaemonState
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.install.requests import InstallRequests
from p2pdist.install.service import InstallService
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.local_api.delivery_answers import LimiterAnswer, LineLimit, NetworkPartStatus, ProblemCode, StatusAnswer
from p2pdist.local_api.install_answers import PostureAnswer
from p2pdist.local_api.messages import LIMITER, PEERS, STATUS, WHY, PostureQuestion
from p2pdist.local_api.socket import Handler, answers
from p2pdist.neighbours.finder import Finder
from p2pdist.neighbours.service import Neighbours
from p2pdist.network.process import NetworkPart
from p2pdist.origin.connection import ServerConnection
from p2pdist.status.explainer import Explainer
from p2pdist.status.patches import Patches
from p2pdist.status.projections import installs, not_yet_patches, status_patches
from p2pdist.status.reasons import LARGE_PACKETS_WORDS
from p2pdist.transfer.manager import Transfers
from p2pdist.trust.catalogue import RefusedPatch

MAX_REFUSED_SHOWN = 20  # `p2pdist status` is for people


@dataclass(frozen=True)
class Problems:
    """Collects from every part what the user should know; `p2pdist status` shows it."""

    state: DaemonState
    part: NetworkPart
    discovery: Finder | None
    transfers: Transfers
    limiter: LanLimiter
    patching: InstallService
    witness: AuditWitness
    neighbours: Neighbours
    disk: DiskKeeper

    def codes(self) -> list[str]:
        """Return what is wrong with this PC and its network, as the server is told."""
        said = [code for code, _ in self.now()]
        return finding_codes(said, self.neighbours.status(), by_vpn=self.limiter.is_by_vpn)

    def now(self) -> list[tuple[ProblemCode, str]]:
        """Return all that is wrong now, what it is about and in words; empty while all is well."""
        state = self.state
        problems: list[tuple[ProblemCode, str]] = [
            ("network_part", self.part.problem),
            ("clock", state.clock_trust.problem),
            ("identity", state.copies_words),
            ("packets", LARGE_PACKETS_WORDS if state.large_packets_lost else ""),
            ("certificates", state.renewal_problem),
            ("trust", state.trust_problem),
            ("stale", state.stale_problem),
            ("audit_log", self.witness.problem),
            ("memory", self.transfers.memory.problem),
            ("disk", self.disk.problem or self.transfers.room.full),
            ("mdns", self.discovery.problem if self.discovery else "mDNS is switched off"),
            *(("limiter", problem) for problem in self.limiter.problems),
            *(("patch_refused", _refused(refused)) for refused in state.refused[:MAX_REFUSED_SHOWN]),
            *(("install", problem) for problem in self.patching.problems),
            ("users", state.users_problem),
        ]
        return [(code, problem) for code, problem in problems if problem]


def _refused(refused: RefusedPatch) -> str:
    return f"{refused.entry.patch_id} {refused.entry.version} cannot be taken: {refused.reason}. Publish it again."


def handlers(
    state: DaemonState,
    origin: ServerConnection,
    problems: Problems,
    patches: Patches,
    explainer: Explainer,
    neighbours: Neighbours,
    limiter: LanLimiter,
    patching: InstallService,
) -> list[Handler]:
    """Return the handlers of all commands."""
    return [
        answers(STATUS, lambda: answer_status(state, origin, problems, patches)),
        answers(LIMITER, lambda: answer_limiter(state, origin, limiter)),
        answers(WHY, explainer.answer),
        answers(PEERS, neighbours.status),
        *patching.handlers(),
        *server_handlers(state, origin),
    ]


def answer_status(state: DaemonState, origin: ServerConnection, problems: Problems, patches: Patches) -> StatusAnswer:
    """Return the answer to `p2pdist status`."""
    views, part, known = patches.views(), problems.part, problems.now()
    user, lost_at = part.user, state.lost_at
    return StatusAnswer(
        endpoint_id=state.identity.endpoint_id,
        site=state.site or None,
        server=state.identity.server_name,
        server_connection=origin.status,
        version=__version__,
        problems=[words for _, words in known],
        patches=status_patches(views),
        installs=installs(views),
        network_part=NetworkPartStatus(
            running=part.running, user=user.name, separate=user.separate, note=user.note, starts=part.life
        ),
        not_yet=not_yet_patches(views),
        problem_codes=[code for code, _ in known],
        disk=problems.disk.status,
        server_lost_seconds=None if lost_at is None else round(trio.current_time() - lost_at, 3),
    )


def answer_limiter(state: DaemonState, origin: ServerConnection, limiter: LanLimiter) -> LimiterAnswer:
    """Return the answer to `p2pdist limiter`: what the server said last of this site's line, and the LAN's limits."""
    limit = state.site_limit
    line = None
    if limit is not None:
        line = LineLimit(**msgspec.structs.asdict(limit), current=origin.connected and state.reports_link)
    return limiter.status(site=state.site or None, server_connection=origin.status, line=line)


def answer_posture(
    state: DaemonState, orders: InstallRequests, problem: str, question: PostureQuestion
) -> PostureAnswer:
    """Return the signed answer to `p2pdist posture`; ``problem``: why the list of patches is not known, or empty."""
    problem = problem or state.stale_problem
    statement = orders.posture(state.identity.endpoint_id, state.facts.hostname, problem, question)
    return PostureAnswer(statement, jws=sign_statement(state.identity, msgspec.to_builtins(statement)))
