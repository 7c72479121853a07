"""`p2pdist.status.explainer`: what each file has waited for is counted, as long as it is known."""

from types import SimpleNamespace
from typing import Any, cast

import trio
import trio.testing

from p2pdist.limiter.lan_policy import LanReason
from p2pdist.shared.identifiers import PatchRef
from p2pdist.status.explainer import IDLE_NOTE_SECONDS, NOTE_SECONDS, Explainer
from p2pdist.status.view import FileView, PatchView
from p2pdist.status.why import ServerSays
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import file, plan_row, transfer

REF = PatchRef("acme", "1")


class Pc:
    """A PC whose patches, server and limiter the test plays."""

    def __init__(self, *views: PatchView) -> None:
        self.seen = list(views)
        self.looks = 0
        origin = SimpleNamespace(connected=False, status="not reachable")
        way = SimpleNamespace(reason=LanReason.UNLIMITED)
        limiter = SimpleNamespace(
            decision=SimpleNamespace(download=way),
            blackout_words=lambda: "",
            profile_lets_fetch=True,
            fetch_refusal=None,
            helps_less=False,
        )
        self.explainer = Explainer(
            cast("Any", self),
            cast("Any", origin),
            cast("Any", limiter),
            FakeClock(),
            fetches=True,
            installs=True,
            server_says=ServerSays,
        )

    def files(self) -> list[FileView]:
        self.looks += 1
        return [view.file for view in self.seen if view.file is not None]

    def views(self) -> list[PatchView]:
        return self.seen


async def test_the_time_under_each_reason_is_counted(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc(PatchView(REF, file("fetching", missing=1)))
    pc.explainer.answer()
    await trio.sleep(5.0)
    pc.seen = [PatchView(REF, file("verifying"))]
    (row,) = pc.explainer.answer().patches
    assert (row.reason, row.since_seconds) == ("all is here, and the whole file is being proven", 0.0)
    assert row.seconds == {"no neighbour has what is missing, and the server is not reachable": 5.0}
    await trio.sleep(2.0)
    pc.seen = [PatchView(REF, file("verified"))]
    (row,) = pc.explainer.answer().patches
    assert list(row.seconds) == [
        "no neighbour has what is missing, and the server is not reachable",
        "all is here, and the whole file is being proven",
    ], "the time for which it has been here is nothing that anybody waits for"


async def test_a_patch_that_has_gone_begins_anew(autojump_clock: trio.testing.MockClock) -> None:
    waiting = PatchView(REF, file("waiting"))
    pc = Pc(waiting)
    pc.explainer.answer()
    pc.seen = []
    await trio.sleep(5.0)
    assert pc.explainer.answer().patches == []
    pc.seen = [waiting]
    (row,) = pc.explainer.answer().patches
    assert (row.since_seconds, row.seconds) == (0.0, {})


async def test_every_kind_of_patch_has_its_row_and_what_is_only_planned_has_none() -> None:
    elsewhere = plan_row(PatchRef("tool", "1"), life=None, here=False, not_applicable="not for kiosks")
    pc = Pc(
        PatchView(REF, file("verified"), plan_row(REF, life="installed", here=True)),
        PatchView(PatchRef("bad", "1"), refused="it has no manifest"),
        PatchView(PatchRef("tool", "1"), plan=elsewhere),
        PatchView(PatchRef("late", "1"), plan=plan_row(PatchRef("late", "1"), life="waiting", here=False)),
    )
    rows = pc.explainer.answer().patches
    assert [(row.id, row.state) for row in rows] == [
        ("acme", "installed"),
        ("bad", "failed"),
        ("tool", "not_applicable"),
    ]


async def test_it_looks_rarely_once_every_patch_is_here(autojump_clock: trio.testing.MockClock) -> None:
    for state, every in (("waiting", NOTE_SECONDS), ("verified", IDLE_NOTE_SECONDS)):
        pc = Pc(PatchView(transfer().ref, file(state)))  # type: ignore[arg-type]
        with trio.move_on_after(60.0 - every / 2):
            await pc.explainer.run()
        assert pc.looks == 60.0 / every
