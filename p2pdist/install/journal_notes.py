"""What each look of the loop notes in the journal before anything is decided. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec.structs import replace

from p2pdist.install.lifecycle import InstallRecord, Journal, RestartRules, new_record, published_again
from p2pdist.install.plan import Candidate, PlanMoment, overdue_since
from p2pdist.shared.identifiers import PatchRef

Candidates: TypeAlias = Mapping[PatchRef, Candidate]


def with_start(journal: Journal) -> Journal:
    """Count that a start of the daemon has found something half carried out: before it is carried on."""
    for record in journal.records:
        if record.state in ("installing", "rolling_back") and not record.supervised:
            journal = journal.with_record(replace(record, interrupted=record.interrupted + 1))
    return journal


def published_anew(journal: Journal, candidates: Candidates) -> list[PatchRef]:
    """Return the patches of which there is a newer publication than the one that was noted."""
    return [
        record.ref
        for record in journal.records
        if record.ref in candidates and record.number < candidates[record.ref].manifest.number
    ]


def with_patches(journal: Journal, candidates: Candidates, now: float) -> Journal:
    """Add a record for each new patch; remove the record of a withdrawn one with which nothing has happened.

    ``now`` is in seconds since 1970.
    """
    for ref in published_anew(journal, candidates):
        record = journal.record(ref)
        if record is not None:
            journal = journal.with_record(published_again(record, candidates[ref].manifest, now))
    required = {relation for candidate in candidates.values() for relation in candidate.manifest.requires}
    known = {record.ref for record in journal.records}
    new = [
        new_record(candidate.manifest, now)
        for ref, candidate in candidates.items()
        # a patch that does not apply may be installed all the same; that matters if another requires it
        if ref not in known
        and candidate.manifest.install is not None
        and (not (candidate.not_applicable or candidate.not_yet) or required & {ref.patch_id, str(ref)})
    ]
    kept = [record for record in journal.records if not candidates or record.ref in candidates or not record.untouched]
    return replace(journal, records=(*kept, *new)) if new or len(kept) < len(known) else journal


def with_way_back(record: InstallRecord, journal: Journal) -> InstallRecord:
    """Return the record of a package that was here already with the way back of the version that brought it.

    A publication can be satisfied by what an earlier one of the same patch has installed; then that is undone.
    """
    earlier = [
        other
        for other in journal.records
        if other.patch_id == record.patch_id and other.ref != record.ref
        if other.state == "installed" and other.own is not None
    ]
    if not earlier:
        return record
    last = max(earlier, key=lambda other: other.changed_at)
    return replace(
        record, own=last.own, previous=last.previous, previous_version=last.previous_version,
        installed_as=last.installed_as, package=last.package, selection=last.selection,
    )  # fmt: skip


def with_deadlines(journal: Journal, candidates: Candidates, moment: PlanMoment) -> Journal:
    """Note which deadlines are over, and keep the rules of restarts: a recipe goes when its patch is withdrawn."""

    def noted(record: InstallRecord) -> InstallRecord:
        candidate = candidates.get(record.ref)
        rules = record.restart_rules if candidate is None else candidate.manifest.schedule
        if rules is None or (record.state == "installed" and record.restart_boot is None):
            return record
        kept = record.restart_rules or (None if record.restart_boot is None else RestartRules.of(rules))
        return replace(record, overdue_since=overdue_since(record, rules, moment), restart_rules=kept)

    records = tuple(noted(record) for record in journal.records)
    return journal if records == journal.records else replace(journal, records=records)
