"""Evaluate diagnosis templates on this PC, and send the server the answers that are new.

Every scan evaluates the expressions from the facts. A check asks the system (a file's hash, a program's exit code),
so its result is kept for a while: facts, and so scans, change with every megabyte of free disk.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from p2pdist.shared.manifest.applicability import Verdict, evaluate
from p2pdist.shared.manifest.expression import parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.recipe import Check
from p2pdist.shared.manifest.template import Template, TemplateItem
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer

CHECK_KEPT_SECONDS = 600.0
SCAN_SECONDS = 1_800.0  # the result of a check may change while no fact does
SHORTEST_SCAN_SECONDS = 5.0  # a burst of changes causes one scan
REASON_SECONDS = 3_600.0  # the same answer in other words ("1234 MB free") is sent no more often


class CheckVerdict(Protocol):
    """The result of a check."""

    @property
    def holds(self) -> bool:
        """Whether the check holds."""
        ...

    @property
    def words(self) -> str:
        """The reason, for people."""
        ...


@dataclass(frozen=True)
class _Told:
    template: Template
    answers: tuple[DiagnosisAnswer, ...]
    at: float


class Diagnoser:
    """Evaluates templates and sends the server each answer that has changed."""

    def __init__(self, facts: Callable[[], Facts], check: Callable[[Check], Awaitable[CheckVerdict]]) -> None:
        """``facts`` returns the newest ones, empty before they are known; ``check`` runs one check, raises nothing."""
        self._facts = facts
        self._check = check
        self._templates: tuple[Template, ...] = ()
        self._told: dict[str, _Told] = {}
        self._checked: dict[Check, tuple[float, CheckVerdict]] = {}
        self._wake = trio.Event()

    def set_templates(self, templates: Sequence[Template]) -> None:
        """Use the templates of a newly accepted catalogue from now on."""
        if tuple(templates) != self._templates:
            self._templates = tuple(templates)
            self._wake.set()

    def facts_changed(self) -> None:
        """Scan again soon."""
        self._wake.set()

    def reconnected(self) -> None:
        """Send everything again: the server may have forgotten it, or never received it."""
        self._told.clear()
        self._wake.set()

    async def run(self, send: Callable[[Diagnosis], Awaitable[None]]) -> None:
        """Scan after each change, until cancelled."""
        while True:
            self._wake = trio.Event()
            await self.scan(send)
            await trio.sleep(SHORTEST_SCAN_SECONDS)
            with trio.move_on_after(SCAN_SECONDS):
                await self._wake.wait()

    async def scan(self, send: Callable[[Diagnosis], Awaitable[None]]) -> None:
        """Evaluate every template once, and send what is new."""
        templates, facts = self._templates, self._facts()
        if not facts.values:
            return
        names = {template.name for template in templates}
        self._told = {name: told for name, told in self._told.items() if name in names}
        wanted = {check for template in templates for item in template.items for check in item.checks}
        self._checked = {check: kept for check, kept in self._checked.items() if check in wanted}
        for template in templates:
            answers = tuple([await self._answer(item, facts) for item in template.items])
            if self._is_news(template, answers):
                # before `send` waits: a reconnection meanwhile must be able to forget it again
                self._told[template.name] = _Told(template, answers, trio.current_time())
                await send(Diagnosis(template=template.name, answers=answers))

    def _is_news(self, template: Template, answers: tuple[DiagnosisAnswer, ...]) -> bool:
        told = self._told.get(template.name)
        if told is None or told.template != template:
            return True
        if _verdicts(told.answers) != _verdicts(answers):
            return True
        return told.answers != answers and trio.current_time() - told.at >= REASON_SECONDS

    async def _answer(self, item: TemplateItem, facts: Facts) -> DiagnosisAnswer:
        applies = _evaluate(item.applies_to, facts) if item.applies_to else Verdict(True, "")
        if not applies.applies:
            return _said(item, applies=False, needed=None, reason=applies.reason)
        question = _evaluate(item.expression, facts) if item.expression else Verdict(False, "")
        if question.applies:
            return _said(item, applies=True, needed=True, reason=question.reason)
        reasons = [question.reason]
        for check in item.checks:
            answer = await self._checked_answer(check)
            if not answer.holds:
                return _said(item, applies=True, needed=True, reason=answer.words)
            reasons.append(answer.words)
        return _said(item, applies=True, needed=False, reason=", ".join(reason for reason in reasons if reason))

    async def _checked_answer(self, check: Check) -> CheckVerdict:
        kept = self._checked.get(check)
        if kept is not None and trio.current_time() - kept[0] < CHECK_KEPT_SECONDS:
            return kept[1]
        answer = await self._check(check)
        self._checked[check] = (trio.current_time(), answer)
        return answer


def _evaluate(text: str, facts: Facts) -> Verdict:
    return evaluate(parse_expression(text), facts)  # it parsed when the template was decoded


def _said(item: TemplateItem, *, applies: bool, needed: bool | None, reason: str) -> DiagnosisAnswer:
    return DiagnosisAnswer(label=item.label, applies=applies, needed=needed, reason=reason[:MAX_TEXT_CHARS])


def _verdicts(answers: tuple[DiagnosisAnswer, ...]) -> list[tuple[str, bool, bool | None]]:
    return [(answer.label, answer.applies, answer.needed) for answer in answers]
