"""Whether endpoints that connect may: the database is asked about many at once.

After a restart of the server thousands connect within a minute. While the database answers, those that come meanwhile
wait, and are asked about together.
"""

from collections.abc import Callable, Mapping, Sequence

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

    async def of(self, endpoint: EndpointId) -> Admission | None:
        """Return what the database says now, None: it is not enrolled. Raises what ``read`` raises: `UserError`."""
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


class _Question:
    """One query of the database."""

    def __init__(self, first: EndpointId) -> None:
        self.endpoints = [first]
        self.answered = trio.Event()
        self.answer: Mapping[str, Admission] = {}
        self.failure: Exception | None = None
