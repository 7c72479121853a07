"""Follows what the daemon says is to come, tells each event once, and carries out what the user presses."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from p2pdist.agent.desktop import Desktop, DesktopError
from p2pdist.agent.wording import Button, ToldEvent, UserNotice, deferred_words, notices_of, title_of
from p2pdist.local_api.install_answers import Deferred, NoticesAnswer
from p2pdist.local_api.messages import DeferOrder
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.lazy_log import lazy_log

NOTICES_SECONDS = 15.0  # the daemon answers from memory
NOT_ALLOWED_SECONDS = 300.0  # while this user may not ask: an administrator may change that
SAME_SECONDS = 60.0  # two times of one event differ by less, where it is told by two clocks
MAX_EVENTS_TOLD = 1_000

log = lazy_log()


class Follower:
    """The agent of one session. Runs in one trio thread."""

    def __init__(
        self,
        desktop: Desktop,
        ask: Callable[[], Awaitable[NoticesAnswer]],
        defer: Callable[[DeferOrder], Awaitable[Deferred]],
        now: Callable[[], float],
    ) -> None:
        """``ask`` and ``defer`` speak with the daemon, and raise `UserError`; ``now``: in seconds since 1970."""
        self._desktop = desktop
        self._ask = ask
        self._defer = defer
        self._now = now
        self._told: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        """By kind and patch, the times that were told."""
        self._shown: dict[int, UserNotice] = {}
        self._said = ""
        """Of what keeps the agent from its job, what was logged last."""

    async def run(self) -> None:
        """Tell what is to come until cancelled; the daemon and the desktop's notifications may come and go."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_presses)
            while True:  # noqa: ASYNC110 - the pause is what the look says
                await trio.sleep(await self.look())

    async def look(self) -> float:
        """Ask the daemon once, tell what is new, and return the seconds until the next look."""
        try:
            answer = await self._ask()
        except UserError as error:
            self._log(error.message)
            return NOT_ALLOWED_SECONDS if error.kind is FaultKind.REFUSED else NOTICES_SECONDS
        notices = notices_of(answer, self._now())
        try:
            await self._take_away({notice.event for notice in notices})
            for notice in notices:
                if not self._is_told(notice.event):
                    self._shown[await self._show(notice)] = notice
                    self._note(notice.event)
        except DesktopError as error:
            self._log(str(error))
            return NOTICES_SECONDS
        self._said = ""
        return NOTICES_SECONDS

    async def _show(self, notice: UserNotice) -> int:
        buttons = {str(button): label for button, label in notice.buttons.items()}
        return await self._desktop.show(notice.summary, notice.body, buttons, urgent=notice.urgent)

    async def _take_away(self, coming: set[ToldEvent]) -> None:
        """Take away what is shown and comes no more: it was installed, put off elsewhere, or withdrawn."""
        for number, notice in list(self._shown.items()):
            if not any(_is_same(notice.event, event) for event in coming):
                del self._shown[number]
                with suppress(DesktopError):  # the user has closed it
                    await self._desktop.close(number)

    async def _follow_presses(self) -> None:
        while True:
            number, pressed = await self._desktop.pressed()
            notice = self._shown.pop(number, None)
            if notice is None or pressed not in notice.buttons:  # another program's
                continue
            try:
                await self._carry_out(Button(pressed), notice)
            except DesktopError as error:
                self._log(str(error))

    async def _carry_out(self, button: Button, notice: UserNotice) -> None:
        ref = notice.event.ref
        try:
            match button:
                case Button.NOW:
                    await self._defer(DeferOrder(str(ref), end=True))
                case Button.LATER:
                    answer = await self._defer(DeferOrder(str(ref)))
                    await self._desktop.show(title_of(answer), deferred_words(answer), {}, urgent=False)
                case Button.RESTART:
                    await self._desktop.restart_pc()
                case Button.OK:
                    pass
        except UserError as error:
            await self._desktop.show(tr("That is not possible"), in_words(error.message), {}, urgent=False)
        except DesktopError as error:
            await self._desktop.show(tr("That is not possible"), str(error), {}, urgent=False)

    def _is_told(self, event: ToldEvent) -> bool:
        told = self._told.get((event.kind, str(event.ref)), ())
        return any(abs(at - (event.begins_at or 0.0)) < SAME_SECONDS for at in told)

    def _note(self, event: ToldEvent) -> None:
        self._told.setdefault((event.kind, str(event.ref)), []).append(event.begins_at or 0.0)
        while sum(map(len, self._told.values())) > MAX_EVENTS_TOLD:
            self._told.popitem(last=False)

    def _log(self, words: str) -> None:
        if words != self._said:
            log.warning("the agent waits", reason=words)
            self._said = words


def _is_same(shown: ToldEvent, coming: ToldEvent) -> bool:
    if (shown.kind, shown.ref) != (coming.kind, coming.ref):
        return False
    return abs((shown.begins_at or 0.0) - (coming.begins_at or 0.0)) < SAME_SECONDS
