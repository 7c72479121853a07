"""What follows from an installer's word and a look at the PC: done, undone, left alone, or asked again. Pure.

Detection decides. Two rules come before "not detected, so undo it": what was not seen to change is not undone, and
what cannot be told yet (no answer, or a restart that has to come first) is asked again.
"""

from dataclasses import dataclass

from p2pdist.install.findings import Whether
from p2pdist.install.lifecycle import FailureClass, LifeEvent
from p2pdist.install.outcomes import InstallEnding


@dataclass(frozen=True)
class Evidence:
    """All that is known of an installation once the PC was looked at."""

    ending: InstallEnding
    finding: Whether
    changed: bool
    """Whether the look saw something else than the one before the installation."""
    restart_pending: bool = False
    """Whether the installer asked for a restart that has not been yet."""
    restarted_lately: bool = False
    """Whether the PC was restarted so lately that services may still be starting."""


def verdict(evidence: Evidence) -> LifeEvent:
    """Return what happens to a patch that is being detected."""
    if evidence.finding is Whether.YES:
        return LifeEvent.DETECTED
    if evidence.restart_pending or evidence.restarted_lately:
        return LifeEvent.UNCERTAIN
    if evidence.finding is Whether.UNKNOWN:
        if evidence.ending is InstallEnding.SUCCEEDED:
            return LifeEvent.UNCERTAIN
    elif evidence.changed:
        return LifeEvent.NOT_DETECTED
    return LifeEvent.BUSY if evidence.ending is InstallEnding.BUSY else LifeEvent.UNCHANGED


def failure_of(ending: InstallEnding) -> FailureClass:
    """Return the class under which an installation that is not detected counts."""
    return FailureClass.DETECT if ending is InstallEnding.SUCCEEDED else FailureClass.INSTALL
