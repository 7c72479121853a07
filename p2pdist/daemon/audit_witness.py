"""Asks the server to prove that its audit log has only grown, whenever a newer state of it was signed for PCs.

An alarm stops no patch: those are trusted by other keys, and a PC that takes none is easier prey than the log is worth
(ADR 0048). It is shown, logged, and told the server, whose operators may not know.
"""

import datetime as dt
from collections.abc import Awaitable, Callable

import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.audit_checkpoint import LaterCheckpointError
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.features import AUDIT_WITNESS
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.witness import AuditAlarm, Consistency, ConsistencyWanted
from p2pdist.trust.witness import ProofQuestion, Witness

PROOF_SECONDS = 60.0  # for an answer over a slow line that yields
ASK_AGAIN_SECONDS = 600.0  # after none
SHOWN_SECONDS = 30 * DAY_SECONDS  # for so long it is said that the log began again

ALARM_WORDS = (
    "The server's audit log is not what this PC has seen of it: entries were changed or removed. Tell the security "
    "team; the evidence is in the file 'witness' of this PC's trust folder."
)
UNPROVED_WORDS = (
    "The server does not prove that its audit log has only grown since this PC saw it last. Look at it with "
    "'seed-server audit verify'."
)
LATER_WORDS = (
    "The server's audit log is signed in a form that this release does not know, so nothing is proved of it. Update "
    "p2pdist on this PC."
)

log = lazy_log()


class AuditWitness:
    """Follows the audit log of the server."""

    def __init__(self, witness: Witness, send: Callable[[FromEndpoint], Awaitable[None]], clock: Clock) -> None:
        self._witness = witness
        self._send = send
        self._clock = clock
        self._note = self._anchor = b""
        self._proves: bool | None = None
        """Whether the server answers; None: there is no connection."""
        self._wake = trio.Event()
        self._answer: Consistency | None = None
        self._answered = trio.Event()
        self._unproved = False
        self._withheld = False
        """Whether no checkpoint is signed for PCs any more."""
        self._later = False
        """Whether what is signed is of a later release."""
        self._storage = ""

    @property
    def problem(self) -> str:
        """What people should know, in words; empty: the log is as it was, and longer."""
        if self._witness.fault is not None:
            return ALARM_WORDS
        if self._storage or self._later:
            return self._storage or LATER_WORDS
        return UNPROVED_WORDS if self._unproved or self._withheld else self._begun_again()

    def _begun_again(self) -> str:
        begun = self._witness.begun_again
        if begun is None or self._clock.now() > begun[0].at + SHOWN_SECONDS:
            return ""
        beginning, known = begun
        day = dt.datetime.fromtimestamp(beginning.at, dt.UTC)
        return (
            f"The server's audit log began again on {day:%Y-%m-%d}, as its operators have signed: {beginning.reason}. "
            f"This PC had seen {known} entries of the log before."
        )

    def told(self, note: bytes, anchor: bytes = b"") -> None:
        """Take the newest checkpoint that was signed for PCs, and what the offline role says of it; empty: nothing."""
        self._withheld = not note and self._witness.known_size > 0
        if note and (note, anchor) != (self._note, self._anchor):
            self._note, self._anchor = note, anchor
            self._wake.set()

    def welcomed(self, features: Features) -> None:
        """Ask on this connection, where the server answers."""
        self._proves = AUDIT_WITNESS in features
        self._wake.set()

    def disconnected(self) -> None:
        """Wait for the next connection."""
        self._proves = None
        self._answered.set()

    def heard(self, answer: Consistency) -> None:
        """Take an answer; one that nobody waits for does no harm."""
        self._answer = answer
        self._answered.set()

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            again = await self._step()
            with trio.move_on_after(again):
                await self._wake.wait()

    async def _step(self) -> float:
        """Judge the newest checkpoint; return when to look again, where nothing wakes us."""
        self._wake = trio.Event()
        try:
            if self._note and await self._judge(self._note):
                return ASK_AGAIN_SECONDS
            self._storage = ""
        except OSError as error:
            self._storage = f"What this PC has seen of the server's audit log cannot be kept: {error.strerror}."
            return ASK_AGAIN_SECONDS
        if self._witness.had_alarm and self._proves:
            told = 0 if self._witness.fault is None else self._witness.told_size
            await self._send(AuditAlarm(self._witness.fault, self._witness.known_size, told))
        return float("inf")

    async def _judge(self, note: bytes) -> bool:
        """Judge a checkpoint; return whether a proof of it is still to be had."""
        try:
            question = await trio.to_thread.run_sync(self._witness.look, note, self._anchor)
        except LaterCheckpointError:
            self._later, self._unproved = True, False
            return False
        self._later = False
        if question is None:
            self._unproved = False
            return False
        if self._proves is None:
            return False  # the next connection wakes us
        answer = await self._ask(question) if self._proves else None
        if answer is None:
            return self._silent(question)
        await trio.to_thread.run_sync(self._witness.answer, question, answer)
        self._unproved = False
        return False

    def _silent(self, question: ProofQuestion) -> bool:
        """Note that there is no answer; return whether the server is to be asked again without being connected anew."""
        if self._proves is None:
            return False
        if not self._unproved:
            log.warning("the server does not prove that its audit log has only grown", known=question.known.size)
        self._unproved = True
        return True

    async def _ask(self, question: ProofQuestion) -> Consistency | None:
        self._answered, self._answer = trio.Event(), None
        wanted = ConsistencyWanted(question.known.size, question.told.size)
        await self._send(wanted)
        with trio.move_on_after(PROOF_SECONDS):
            while self._proves:
                await self._answered.wait()
                answer: Consistency | None = self._answer
                if answer is not None and (answer.first, answer.second) == (wanted.first, wanted.second):
                    return answer
                self._answered = trio.Event()
        return None
