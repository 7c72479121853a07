"""What the commands ask of the daemon as a whole: its status, what limits it, its posture."""

from collections.abc import Mapping

import msgspec

from p2pdist import __version__
from p2pdist.daemon.state import DaemonState
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.install.requests import InstallOrders
from p2pdist.install.service import Patching
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.local_api.socket import Answer, Question
from p2pdist.neighbours.discovery import Discovery
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.client import OriginClient
from p2pdist.status.explainer import Explainer
from p2pdist.transfer.manager import Transfers

MAX_REFUSED_SHOWN = 20  # `p2pdist status` is for people


def questions(
    state: DaemonState,
    origin: OriginClient,
    discovery: Discovery | None,
    transfers: Transfers,
    limiter: LanLimiter,
    explainer: Explainer,
    neighbours: Neighbours,
    patching: Patching,
) -> Mapping[str, Question]:
    """Return what changes nothing, by command."""
    return {
        "status": lambda: patching.add_to_status(answer_status(state, origin, transfers, discovery, limiter)),
        "limiter": lambda: answer_limiter(state, origin) | limiter.status(),
        "why": lambda: patching.explain(explainer.answer()),
        "peers": neighbours.status,
        **patching.questions(),
    }


def answer_status(
    state: DaemonState,
    origin: OriginClient,
    transfers: Transfers,
    discovery: Discovery | None,
    limiter: LanLimiter,
) -> Answer:
    """Return the answer to `p2pdist status`."""
    mdns_problem = discovery.problem if discovery else "mDNS is switched off"
    problems = [
        state.renewal_problem,
        state.trust_problem,
        state.stale_problem,
        transfers.memory.problem,
        mdns_problem,
        *limiter.problems,
        *(
            f"{refused.entry.patch_id} {refused.entry.version} cannot be taken: {refused.reason}. Publish it again."
            for refused in state.refused[:MAX_REFUSED_SHOWN]
        ),
    ]
    return {
        "endpoint_id": state.identity.endpoint_id,
        "site": state.site or None,
        "server": state.identity.server_name,
        "server_connection": origin.status,
        "version": __version__,
        "problems": [problem for problem in problems if problem],
        "patches": transfers.status(),
    }


def answer_limiter(state: DaemonState, origin: OriginClient) -> Answer:
    """Return the answer to `p2pdist limiter`: what the server said last of this site's line."""
    limit = state.site_limit
    return {
        "site": state.site or None,
        "server_connection": origin.status,
        "line": None if limit is None else msgspec.structs.asdict(limit),
        "profile": state.profile and state.profile.name,
    }


def answer_posture(state: DaemonState, orders: InstallOrders, problem: str) -> Answer:
    """Return the answer to `p2pdist posture`, signed; ``problem``: why the list of patches is not known, or empty."""
    statement = orders.posture(state.identity.endpoint_id, state.facts.hostname, problem or state.stale_problem)
    return {"posture": statement, "jws": sign_statement(state.identity, statement)}
