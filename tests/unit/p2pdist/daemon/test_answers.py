"""`p2pdist.daemon.answers`: answers about the daemon as a whole."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from p2pdist.daemon.answers import MAX_REFUSED_SHOWN, Problems, answer_limiter, answer_posture, answer_status
from p2pdist.install.requests import InstallRequests
from p2pdist.limiter.lan_limiter import HelpTerms, LanLimiter
from p2pdist.local_api.delivery_answers import NetworkPartStatus, PeersAnswer
from p2pdist.local_api.messages import PostureQuestion
from p2pdist.network.rights import PartUser
from p2pdist.pc.facts import Surroundings
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.statement_check import check_statement
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.status.view import PatchView
from p2pdist.trust.catalogue import RefusedPatch
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import file, plan_row
from tests.helpers.statements import Company

CONNECTED = cast("Any", SimpleNamespace(status="connected", connected=True))


async def test_limiter_says_what_the_server_said_last() -> None:
    state = made_up_state()
    limiter = LanLimiter(
        cast("Any", None),
        Surroundings(lambda: None, lambda: state.site, tuple),
        FakeClock(),
        profile=lambda: state.profile,
        helping=HelpTerms(),
    )
    answer = answer_limiter(state, CONNECTED, limiter)
    assert (answer.site, answer.server_connection, answer.line, answer.profile) == (None, "connected", None, None)
    state.site = "oslo"
    state.site_profile = SiteProfile(format=1, site="oslo", text='name = "Office"\ntime_zone = "UTC"\n')
    state.site_limit = SiteLimit(
        rate=1, capacity=None, configured=False, state="ramp", reason="ramping up", seconds={"ramping up": 1.0},
        yield_seconds=0.0, learned_seconds=None,
    )  # fmt: skip
    answer = answer_limiter(state, CONNECTED, limiter)
    assert answer.line is not None
    assert (answer.site, answer.profile) == ("oslo", "Office")
    assert (answer.line.reason, answer.line.capacity, answer.line.seconds) == ("ramping up", None, {"ramping up": 1.0})
    assert not answer.line.current, "nothing is sent to the site now: what was said is old"
    state.link_watch = LinkWatch(interval_seconds=1.0)
    answer = answer_limiter(state, CONNECTED, limiter)
    assert answer.line is not None
    assert answer.line.current
    answer = answer_limiter(state, cast("Any", SimpleNamespace(status="lost", connected=False)), limiter)
    assert answer.line is not None
    assert not answer.line.current


def test_a_profile_is_read_once_and_the_next_one_counts_at_once() -> None:
    state = made_up_state()
    text = 'name = "Office"\ntime_zone = "UTC"\n'
    state.site_profile = SiteProfile(format=1, site="oslo", text=text)
    first = state.profile
    assert first is not None
    assert state.profile is first, "it is asked at each decision"
    for site, name in (("oslo", "Nights"), ("bergen", "Nights"), ("oslo", "Office")):
        state.site_profile = SiteProfile(
            format=1, site=site, text=text.replace("Office", name) + f'[[site]]\nname = "{site}"\n'
        )
        assert state.profile is not None
        assert (state.profile.name, [one.name for one in state.profile.sites]) == (name, [site])


def test_status_has_every_patch_and_every_problem() -> None:
    state = made_up_state()
    state.stale_problem = "The catalogue is old."
    state.clock_trust.certificate_fits(False)
    entry = RolloutEntry(patch_id="bad", version="1", sequence=3)
    state.refused = [RefusedPatch(entry, "it has no manifest")] * (MAX_REFUSED_SHOWN + 1)
    user = PartUser("nobody", 65_534, 65_534, separate=True, note="there is no user p2pdist")
    part = SimpleNamespace(problem="The network part has stopped.", running=False, user=user, life=3)
    problems = Problems(
        state,
        cast("Any", part),
        None,
        cast(
            "Any",
            SimpleNamespace(memory=SimpleNamespace(problem=""), room=SimpleNamespace(full="The disk is too full.")),
        ),
        cast("Any", SimpleNamespace(problems=["Neighbours are not served now: it is busy."])),
        cast("Any", SimpleNamespace(problems=["Restart this PC to finish acme@1."])),
        cast("Any", SimpleNamespace(problem="The audit log is another one.")),
        cast("Any", SimpleNamespace(status=lambda: PeersAnswer([]))),
        cast("Any", SimpleNamespace(problem="", status=None)),
    )
    acme, tool = PatchRef("acme", "1"), PatchRef("tool", "1")
    views = [
        PatchView(acme, file("verified", sequence=2), plan_row(acme, life="installed", here=True)),
        PatchView(tool, plan=plan_row(tool, life=None, here=False, not_applicable="not for kiosks")),
        PatchView(PatchRef("new", "1"), file("waiting", sequence=1)),
    ]
    answer = answer_status(state, CONNECTED, problems, cast("Any", SimpleNamespace(views=lambda: views)))
    assert answer.network_part == NetworkPartStatus(
        running=False, user="nobody", separate=True, note="there is no user p2pdist", starts=3
    )
    assert answer.problems == [
        "The network part has stopped.",
        state.clock_trust.problem,
        "The catalogue is old.",
        "The audit log is another one.",
        "The disk is too full.",
        "mDNS is switched off",
        "Neighbours are not served now: it is busy.",
        *["bad 1 cannot be taken: it has no manifest. Publish it again."] * MAX_REFUSED_SHOWN,
        "Restart this PC to finish acme@1.",
    ]
    assert answer.problem_codes == [
        "network_part",
        "clock",
        "stale",
        "audit_log",
        "disk",
        "mdns",
        "limiter",
        *["patch_refused"] * MAX_REFUSED_SHOWN,
        "install",
    ]
    assert [(row.id, row.state, row.install) for row in answer.patches] == [
        ("new", "waiting", None),
        ("acme", "verified", "installed"),
    ]
    assert answer.installs == {"acme@1": "installed", "tool@1": "not_applicable"}


def test_posture_answers_the_question_that_was_asked_in_what_is_signed(tmp_path: Path) -> None:
    clock, company, state = FakeClock(), Company(tmp_path, FakeClock().wall), made_up_state()
    state.identity = company.pc(clock.wall)
    restarter = SimpleNamespace(due=lambda _: [])
    installs = SimpleNamespace(
        plan=list, looked=True, problem="", clock_problem="", restarter=restarter, moment=lambda: None
    )
    orders = InstallRequests(cast("Any", installs), clock)
    for question in (PostureQuestion(nonce="5f0c", audience="vpn"), PostureQuestion()):
        answer = answer_posture(state, orders, "", question)
        read = check_statement(
            answer.jws, company.control_ca, clock.wall, longest_seconds=1.0,
            nonce=question.nonce, audience=question.audience,
        )  # fmt: skip
        assert (read.nonce, read.audience, read.compliant) == (question.nonce, question.audience, True)
        assert (answer.posture.nonce, answer.posture.audience) == (question.nonce, question.audience)
    state.stale_problem = "The catalogue is old."
    assert answer_posture(state, orders, "", PostureQuestion()).posture.compliant is False
