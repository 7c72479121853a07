"""`p2pdist.daemon.answers`: what the commands are told of the daemon as a whole."""

import json
from types import SimpleNamespace
from typing import Any, cast

from p2pdist.daemon.answers import answer_limiter
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.wire.messages import SiteLimit
from tests.helpers.daemon_states import made_up_state


def test_limiter_says_what_the_server_said_last() -> None:
    state = made_up_state()
    origin = cast("Any", SimpleNamespace(status="connected"))
    assert answer_limiter(state, origin) == {
        "site": None, "server_connection": "connected", "line": None, "profile": None,
    }  # fmt: skip
    state.site = "oslo"
    state.site_profile = SiteProfile(format=1, site="oslo", text='name = "Office"\ntime_zone = "UTC"\n')
    state.site_limit = SiteLimit(
        rate=1, capacity=None, configured=False, state="ramp", reason="ramping up", seconds={"ramping up": 1.0},
        yield_seconds=0.0,
    )  # fmt: skip
    answer = json.loads(json.dumps(answer_limiter(state, origin)))
    assert (answer["profile"], answer["line"]["reason"], answer["line"]["capacity"]) == ("Office", "ramping up", None)
