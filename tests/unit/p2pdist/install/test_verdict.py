"""`p2pdist.install.verdict` and `findings`: what follows from an installer's word and two looks at the PC."""

import dataclasses
import itertools

import pytest

from p2pdist.install.findings import Whether, changed, found, together, unknown
from p2pdist.install.lifecycle import TRANSITIONS, FailureClass, LifeEvent
from p2pdist.install.outcomes import InstallEnding
from p2pdist.install.verdict import Evidence, failure_of, verdict

EVERY = [
    Evidence(ending, finding, did, restart_pending=pending, restarted_lately=lately)
    for ending, finding, did, pending, lately in itertools.product(
        InstallEnding, Whether, (True, False), (True, False), (True, False)
    )
]


def test_every_verdict_is_a_step_of_a_patch_that_is_being_detected() -> None:
    for evidence in EVERY:
        assert TRANSITIONS.after("detecting", verdict(evidence))


def test_what_is_detected_is_done_whatever_its_installer_says() -> None:
    for evidence in EVERY:
        assert (verdict(evidence) is LifeEvent.DETECTED) == (evidence.finding is Whether.YES)


def test_only_a_certain_no_after_a_change_is_undone() -> None:
    undone = [evidence for evidence in EVERY if verdict(evidence) is LifeEvent.NOT_DETECTED]
    assert undone
    for evidence in undone:
        assert (evidence.finding, evidence.changed) == (Whether.NO, True)
        assert not evidence.restart_pending
        assert not evidence.restarted_lately


def test_before_a_restart_nothing_but_yes_is_believed() -> None:
    for evidence in EVERY:
        if evidence.restart_pending and evidence.finding is not Whether.YES:
            assert verdict(evidence) is LifeEvent.UNCERTAIN


def test_busy_is_no_failure_unless_something_changed() -> None:
    for evidence in EVERY:
        if verdict(evidence) is LifeEvent.BUSY:
            assert evidence.ending is InstallEnding.BUSY
            assert not (evidence.changed and evidence.finding is Whether.NO)
    assert verdict(Evidence(InstallEnding.BUSY, Whether.NO, changed=False)) is LifeEvent.BUSY


def test_an_installer_that_succeeded_is_waited_for_and_one_that_failed_is_tried_again() -> None:
    for ending, event in (
        (InstallEnding.SUCCEEDED, LifeEvent.UNCERTAIN),
        (InstallEnding.FAILED, LifeEvent.UNCHANGED),
        (InstallEnding.UNKNOWN, LifeEvent.UNCHANGED),
    ):
        evidence = Evidence(ending, Whether.UNKNOWN, changed=False)
        assert verdict(evidence) is event
        assert verdict(dataclasses.replace(evidence, changed=True)) is event, "no answer undoes nothing"


def test_the_class_of_a_failure() -> None:
    assert failure_of(InstallEnding.SUCCEEDED) is FailureClass.DETECT
    assert failure_of(InstallEnding.FAILED) is FailureClass.INSTALL


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        ({}, {}, False),
        ({"a": "1"}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2"}, True),
        ({"a": "1", "b": "x"}, {"a": "1", "b": "y"}, True),
        ({"a": "1"}, {}, False),  # what cannot be seen any more has not been seen to change
        ({}, {"a": "1"}, False),
    ],
)
def test_only_what_both_looks_could_see_tells_of_a_change(
    before: dict[str, str], after: dict[str, str], differs: bool
) -> None:
    assert changed(before, after) is differs


def test_several_answers_together() -> None:
    yes, no, silent = found(True, "a is there"), found(False, "b is gone"), unknown("c is silent")
    assert together([yes, silent, no]) == no
    assert together([yes, silent]) == silent
    assert together([yes, found(True, "d too")]) == found(True, "a is there; d too")
    assert not silent.holds
    assert (yes.seen, silent.seen) == ("a is there", "")
