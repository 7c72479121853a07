"""What a daemon knows, made up for the tests of its jobs."""

from pathlib import Path
from typing import Any, cast

from p2pdist.daemon.state import DaemonState
from p2pdist.identity.store import Identity
from p2pdist.trust.clock_trust import ClockTrust
from tests.helpers.fake_clock import FakeClock


def made_up_identity(**changes: Any) -> Identity:
    """Return an identity that has expired long ago, without keys."""
    fields: dict[str, Any] = {
        "home": Path("/nowhere"),
        "endpoint_id": cast("Any", "a" * 26),
        "server_address": "127.0.2.20",
        "web_port": 1,
        "origin_port": 1,
        "server_name": "hq",
        "control_certificate": "",
        "swarm_certificate": "",
        "control_ca": "",
        "swarm_ca": "",
        "key": "",
        "tuf_root": b"",
        "not_before": 0.0,
        "not_after": 0.0,
    }
    return Identity(**{**fields, **changes})


def made_up_state(identity: Identity | None = None, **arguments: Any) -> DaemonState:
    """Return the state of a daemon that has just started."""
    return DaemonState(identity or made_up_identity(), ClockTrust(FakeClock()), **arguments)
