"""Whether endpoints that connect may: the database is asked about many at once.

After a restart of the server thousands connect within a minute. While the database answers, those that come meanwhile
wait, and are asked about together.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import trio

from p2pdist.shared.identifiers import EndpointId
from seed_server.store.rows import Admission


class Admissions:
    """Asks ``read``, which blocks, what the database says of endpoints; who is not named is not enrolled."""

    def __init__(self, read: Callable[[Sequence[EndpointId]], Mapping[str, Admission]]) -> None:
        self._read = read
        self._next: _Question | None = None
        """Not asked yet: more endpoints may be added."""
        self._asking = trio.Lock()
        self._callers: set[_Caller] = set()

    @property
    def asked(self) -> set[EndpointId]:
        """The endpoints that have not been told yet."""
        return {caller.endpoint for caller in self._callers}

    def forget(self, forgotten: AbstractSet[EndpointId]) -> None:
        """Tell those of these that have not been told yet that they are not enrolled, whatever was read before."""
        for caller in self._callers:
            caller.is_forgotten |= caller.endpoint in forgotten

    async def of(self, endpoint: EndpointId) -> Admission | None:
        """Return what the database says now, None: it is not enrolled. Raises what ``read`` raises: `UserError`."""
        caller = _Caller(endpoint)
        self._callers.add(caller)
        try:
            admission = await self._answer(endpoint)
            return None if caller.is_forgotten else admission
        finally:
            self._callers.remove(caller)

    async def _answer(self, endpoint: EndpointId) -> Admission | None:
        if (question := self._next) is not None:
            question.endpoints.append(endpoint)
            await question.answered.wait()
        else:
            question = self._next = _Question(endpoint)
            with trio.CancelScope(shield=True):  # the others need the answer, too
                await self._ask(question)
        if question.failure is not None:
            raise question.failure.with_traceback(None)
        return question.answer.get(endpoint)

    async def _ask(self, question: "_Question") -> None:
        async with self._asking:
            self._next = None
            try:
                question.answer = await trio.to_thread.run_sync(self._read, question.endpoints)
            except Exception as error:  # noqa: BLE001 - raised in each task that waits
                question.failure = error
        question.answered.set()


class _Caller:
    """One that asks."""

    def __init__(self, endpoint: EndpointId) -> None:
        self.endpoint = endpoint
        self.is_forgotten = False


class _Question:
    """One query of the database."""

    def __init__(self, first: EndpointId) -> None:
        self.endpoints = [first]
        self.answered = trio.Event()
        self.answer: Mapping[str, Admission] = {}
        self.failure: Exception | None = None
