"""What `p2pdist doctor` prints, for people and for programs, and how it ends."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from p2pdist.commands.doctor_command import doctor_view
from p2pdist.commands.main import p2pdist
from p2pdist.doctor.judgement import judge
from p2pdist.local_api.doctor_answers import CheckFinding, DoctorAnswer
from p2pdist.shared.language import in_words, use
from tests.unit.p2pdist.doctor.test_judgement import CASES, healthy

WRONG = DoctorAnswer([
    CheckFinding("dns", "fine", "The server is known by its address: no name is needed.", None, ""),
    CheckFinding("mdns", "unknown", "No neighbour is known: there may be none.", None, ""),
    CheckFinding("web-port", "wrong", "It does not answer.", "network", "Let this PC connect to it."),
])  # fmt: skip


def shown(answer: DoctorAnswer, columns: int = 80) -> str:
    console = Console(width=columns, record=True, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(doctor_view(answer))
    return captured.get()


def test_what_is_wrong_stands_below_the_table_for_whom_it_is_sent_to() -> None:
    text = shown(WRONG)
    assert "For the network team:\nweb-port: It does not answer.\n  → Let this PC connect to it." in text
    assert "operator" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_where_all_is_well_it_says_so() -> None:
    assert "Nothing is wrong, as far as can be seen from here." in shown(DoctorAnswer(judge(healthy())))


def test_every_sentence_is_said_in_japanese() -> None:
    """All that the checks can say has a translation, but for what the daemon and others say in their own words."""
    english = [finding for _, _, _, changed in CASES for finding in judge(replace(healthy(), **changed))]  # type: ignore[arg-type]
    use("ja")
    try:
        own = [text for one in english for text in (one.observed, one.remedy) if text and one.code != "reported"]
        left = {text for text in own if in_words(text) == text}
    finally:
        use("en")
    assert left <= OTHERS_WORDS


OTHERS_WORDS = {
    "It failed.", "The identity is damaged.", "Not enrolled.", "It cannot be renewed.", "It belongs to root.",
    "The daemon is not running in /home. Start it.", "This PC's identity is used by pc7 too.",
    "This PC's clock cannot be believed.", "The rules cannot be read.", "others can read the key.",
}  # fmt: skip


def test_it_works_without_an_enrolment_and_ends_with_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(p2pdist, ["doctor", "--home", str(tmp_path), "--json"])
    assert result.exit_code == 1
    answer = msgspec.convert(json.loads(result.output), DoctorAnswer, strict=True)
    assert "enrolment" in {one.code for one in answer.findings if one.verdict == "wrong"}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_table_is_printed_without_colour_into_a_pipe(tmp_path: Path, language: str) -> None:
    result = CliRunner().invoke(p2pdist, ["doctor", "--home", str(tmp_path), "--lang", language])
    use("en")
    assert result.exit_code == 1
    assert "enrolment" in result.output
    assert "\x1b" not in result.output
