"""`p2pdist.pc.diagnoser`: what a PC answers, and when the server hears of it."""

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from p2pdist.pc.diagnoser import CHECK_KEPT_SECONDS, REASON_SECONDS, SCAN_SECONDS, Diagnoser
from p2pdist.shared.manifest.facts import Facts, FactValue
from p2pdist.shared.manifest.recipe import Check, UnitCheck
from p2pdist.shared.manifest.template import Template, TemplateItem
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import Diagnosis

SSL = TemplateItem(
    label="openssl", applies_to='os.family == "debian"', expression='package("openssl") < version("3.0.17")'
)
AGENT = TemplateItem(label="agent", checks=(UnitCheck(unit="agent.service"), UnitCheck(unit="updater.service")))
DISK = TemplateItem(label="disk", expression="disk.free_mb < 1000")


@dataclass(frozen=True)
class Answer:
    holds: bool
    words: str


class PC:
    """A PC whose facts and units a test changes, and what it has told."""

    def __init__(self, *items: TemplateItem) -> None:
        self.values: dict[str, FactValue] = {"os.family": "debian", "disk.free_mb": 5_000}
        self.openssl = "3.0.11"
        self.dead: set[str] = set()
        self.checks: list[str] = []
        self.told: list[Diagnosis] = []
        self.diagnoser = Diagnoser(self.facts, self.check)
        self.diagnoser.set_templates([template(*items)])

    def facts(self) -> Facts:
        return Facts(dict(self.values), {"openssl": parse_version(self.openssl, Ecosystem.DEB)})

    async def check(self, check: Check) -> Answer:
        assert isinstance(check, UnitCheck)
        self.checks.append(check.unit)
        await trio.lowlevel.checkpoint()
        holds = check.unit not in self.dead
        return Answer(holds, f"{check.unit} {'runs' if holds else 'does not run'}")

    async def send(self, diagnosis: Diagnosis) -> None:
        self.told.append(diagnosis)

    async def look(self) -> list[tuple[str, bool, bool | None, str]]:
        """Return what is told by one look."""
        self.told.clear()
        await self.diagnoser.scan(self.send)
        return [(one.label, one.applies, one.needed, one.reason) for told in self.told for one in told.answers]


def template(*items: TemplateItem, name: str = "december") -> Template:
    return Template(format=1, name=name, title="", items=items)


async def test_an_expression_says_that_a_pc_needs_it() -> None:
    pc = PC(SSL)
    assert await pc.look() == [("openssl", True, True, "openssl 3.0.11 < 3.0.17")]
    pc.openssl = "3.0.19"
    assert await pc.look() == [("openssl", True, False, "openssl 3.0.19 ≥ 3.0.17")]
    pc.values["os.family"] = "rhel"
    assert await pc.look() == [("openssl", False, None, "os.family rhel ≠ debian")]


async def test_a_pc_that_knows_nothing_of_itself_yet_says_nothing() -> None:
    pc = PC(SSL)
    values, pc.values = pc.values, {}
    assert await pc.look() == []
    pc.values = values
    assert len(await pc.look()) == 1


async def test_a_check_that_does_not_hold_says_it_too_and_the_others_are_not_asked() -> None:
    pc = PC(AGENT)
    assert await pc.look() == [("agent", True, False, "agent.service runs, updater.service runs")]
    other = PC(AGENT)
    other.dead.add("agent.service")
    assert await other.look() == [("agent", True, True, "agent.service does not run")]
    assert other.checks == ["agent.service"]


async def test_checks_are_not_carried_out_where_they_decide_nothing() -> None:
    pc = PC(
        TemplateItem(label="elsewhere", applies_to='os.family == "rhel"', checks=AGENT.checks),
        TemplateItem(label="both", expression='package("openssl") < version("3.0.17")', checks=AGENT.checks),
    )
    assert [(label, needed) for label, _, needed, _ in await pc.look()] == [("elsewhere", None), ("both", True)]
    assert pc.checks == []


async def test_same_answers_are_told_once_and_again_after_a_reconnect() -> None:
    pc = PC(SSL, AGENT)
    assert len(await pc.look()) == 2
    assert await pc.look() == []
    pc.diagnoser.reconnected()
    assert len(await pc.look()) == 2


async def test_another_template_of_the_same_name_is_told_even_with_the_same_answers() -> None:
    pc = PC(SSL)
    await pc.look()
    pc.diagnoser.set_templates([Template(format=1, name="december", title="another", items=(SSL,))])
    assert len(await pc.look()) == 1
    pc.diagnoser.set_templates([])
    assert await pc.look() == []
    pc.diagnoser.set_templates([Template(format=1, name="december", title="another", items=(SSL,))])
    assert len(await pc.look()) == 1, "its answers were forgotten meanwhile"


async def test_a_number_that_moves_is_no_news_for_an_hour(autojump_clock: trio.testing.MockClock) -> None:
    pc = PC(DISK)
    assert await pc.look() == [("disk", True, False, "disk.free_mb 5000 ≥ 1000")]
    pc.values["disk.free_mb"] = 4_000
    assert await pc.look() == []
    await trio.sleep(REASON_SECONDS)
    assert await pc.look() == [("disk", True, False, "disk.free_mb 4000 ≥ 1000")]
    pc.values["disk.free_mb"] = 900
    assert await pc.look() == [("disk", True, True, "disk.free_mb 900 < 1000")]


async def test_a_check_s_answer_is_kept_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    pc = PC(AGENT)
    await pc.look()
    pc.dead.add("updater.service")
    assert await pc.look() == []
    assert pc.checks == ["agent.service", "updater.service"]
    await trio.sleep(CHECK_KEPT_SECONDS)
    assert [needed for _, _, needed, _ in await pc.look()] == [True]


async def test_a_reason_is_never_longer_than_a_message_takes() -> None:
    words = " or ".join(f'hostname == "{"h" * 50}{n}"' for n in range(20))
    pc = PC(TemplateItem(label="one of ours", expression=words))
    pc.values["hostname"] = "x" * 60
    ((_, _, needed, reason),) = await pc.look()
    assert (needed, len(reason)) == (False, MAX_TEXT_CHARS)


@pytest.mark.parametrize("why", ["facts", "templates", "reconnected", "time"])
async def test_it_looks_again_when_there_is_a_reason(why: str, autojump_clock: trio.testing.MockClock) -> None:
    pc = PC(SSL, AGENT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.diagnoser.run, pc.send)
        await trio.sleep(60)
        assert len(pc.told) == 1
        pc.openssl = "3.0.19"
        if why == "facts":
            pc.diagnoser.facts_changed()
        elif why == "templates":
            pc.diagnoser.set_templates([template(SSL, name="another"), template(SSL, AGENT)])
        elif why == "reconnected":
            pc.diagnoser.reconnected()
        await trio.sleep(60)
        assert len(pc.told) == {"facts": 2, "templates": 3, "reconnected": 2, "time": 1}[why]
        await trio.sleep(SCAN_SECONDS)
        assert {told.template for told in pc.told[1:]} == (
            {"another", "december"} if why == "templates" else {"december"}
        )
        assert pc.told[-1].answers[0].needed is False
        nursery.cancel_scope.cancel()
