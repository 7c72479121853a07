"""The life of one patch on one PC, from its proven file to installed and detected, or back: a state table. Pure.

The installer's result is noted; *detection* decides. Every step is written to the journal before it is taken. So a PC
that loses power in the middle knows afterwards what may have happened: it detects what is there, and never runs the
same installation a second time for one decision.
"""

import enum
from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec.structs import asdict, replace

from bandwidth.core.state_table import StateTable
from p2pdist.install.outcomes import InstallEnding
from p2pdist.install.packages import PackageFile
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.custody import Custody, CustodyRecord
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import Reboot, ScheduleRules
from p2pdist.shared.wire.codec import Extensible
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import InstallState

MAX_RECORDS = 4_000  # as many as transfers are remembered
MAX_NUMBERED = 8_000  # patch ids whose highest number is kept: as many as the offline role can number
MAX_HISTORY = 1_000  # steps; a patch takes five
MAX_PREDECESSORS = 5  # versions; what is withdrawn is seldom older
MAX_TOLD_VERSION_CHARS = 100  # in custody
MAX_OUTPUT_CHARS = 2_000  # of an installer, in the history

LifeState: TypeAlias = Literal[
    "waiting", "installing", "detecting", "checking", "unproven", "installed", "rolling_back", "rolled_back", "failed"
]


class LifeEvent(enum.Enum):
    """What can happen to a patch."""

    BEGUN = "the installer is started"
    NOT_RUN = "nothing could be run"
    ENDED = "the installer has ended, or was interrupted"
    DETECTED = "detection finds it"
    NOT_DETECTED = "detection does not find it"
    UNCHANGED = "detection does not find it, and sees no change to be undone"
    UNCERTAIN = "it cannot be told yet"
    ASKED_AGAIN = "detection is asked again"
    BUSY = "something else is at work"
    HEALTHY = "its health checks hold, or it has none"
    UNHEALTHY = "its health checks do not hold in time"
    UNDONE = "this PC's user asks to have it rolled back"
    ROLLED_BACK = "it is rolled back"
    NOT_ROLLED_BACK = "it cannot be rolled back"
    RETRIED = "it is tried again"


_STEPS: dict[tuple[LifeState, LifeEvent], LifeState] = {
    ("waiting", LifeEvent.BEGUN): "installing",
    ("waiting", LifeEvent.DETECTED): "installed",
    ("waiting", LifeEvent.RETRIED): "waiting",
    ("installing", LifeEvent.NOT_RUN): "failed",
    ("installing", LifeEvent.ENDED): "detecting",
    ("installing", LifeEvent.ROLLED_BACK): "rolled_back",  # by the supervisor of an upgrade of p2pdist itself
    ("installing", LifeEvent.NOT_ROLLED_BACK): "failed",
    ("detecting", LifeEvent.DETECTED): "checking",
    ("detecting", LifeEvent.NOT_DETECTED): "rolling_back",
    ("detecting", LifeEvent.UNCHANGED): "failed",
    ("detecting", LifeEvent.UNCERTAIN): "unproven",
    ("detecting", LifeEvent.BUSY): "waiting",
    ("unproven", LifeEvent.ASKED_AGAIN): "detecting",
    ("unproven", LifeEvent.UNDONE): "rolling_back",
    ("checking", LifeEvent.HEALTHY): "installed",
    ("checking", LifeEvent.UNHEALTHY): "rolling_back",
    ("checking", LifeEvent.UNCHANGED): "failed",
    ("checking", LifeEvent.UNCERTAIN): "unproven",
    ("installed", LifeEvent.NOT_DETECTED): "waiting",
    ("installed", LifeEvent.UNDONE): "rolling_back",
    ("rolling_back", LifeEvent.ROLLED_BACK): "rolled_back",
    ("rolling_back", LifeEvent.NOT_ROLLED_BACK): "failed",
    ("rolled_back", LifeEvent.RETRIED): "waiting",
    ("rolled_back", LifeEvent.DETECTED): "installed",
    ("failed", LifeEvent.RETRIED): "waiting",
    ("failed", LifeEvent.DETECTED): "installed",
}
TRANSITIONS = StateTable[LifeState, LifeEvent]("a patch", "waiting", _STEPS)

UNDER_WAY: frozenset[LifeState] = frozenset({"installing", "detecting", "checking", "rolling_back"})
"""States from which the daemon goes on by itself, also after an interruption."""


_FINAL: frozenset[LifeState] = frozenset({"waiting", "installed", "rolled_back", "failed"})
_OUTCOMES: frozenset[LifeState] = frozenset({"unproven", "installed", "rolled_back", "failed"})
_NO_LONGER_PUT_OFF: frozenset[LifeState] = frozenset({"installed", "rolling_back", "rolled_back", "failed"})


class FailureClass(enum.StrEnum):
    """What went wrong; `PATIENCE` says for each class how often it is tried again."""

    VERIFY = "verify"
    """Just before the run, the file was not what was signed; nothing was run."""
    INSTALL = "install"
    """The installer ended with an error, and detection does not find the patch."""
    DETECT = "detect"
    """The installer reported success, but detection does not find the patch."""
    HEALTH = "health"
    USER = "user"
    """This PC's user has rolled it back."""
    RECALL = "recall"
    """The offline role has recalled it."""


PATIENCE: dict[FailureClass, tuple[int, float, float]] = {
    FailureClass.VERIFY: (5, 60.0, 3_600.0),  # the file is fetched again meanwhile
    FailureClass.INSTALL: (3, 600.0, 21_600.0),  # a locked database, a full disk, a program in use: these pass
    FailureClass.DETECT: (2, 1_800.0, 21_600.0),
    FailureClass.HEALTH: (1, 0.0, 0.0),  # it was installed and did harm: not again by itself
    FailureClass.USER: (1, 0.0, 0.0),
    FailureClass.RECALL: (1, 0.0, 0.0),
}
"""Attempts in all, then the first and the longest wait between them, in seconds."""
LONGEST_RETRY_SECONDS = max(longest for _, _, longest in PATIENCE.values())

STAYS_BACK: frozenset[FailureClass | None] = frozenset({FailureClass.HEALTH, FailureClass.USER, FailureClass.RECALL})
"""Failures after which detecting the patch is no success: somebody has to ask for another try."""


class KeptFile(Extensible, frozen=True):
    """A payload that is kept for a rollback."""

    version: str
    file_name: str
    sha256: str


class PutOff(Extensible, frozen=True):
    """That something has to wait, though nothing has failed: another installer is at work, detection has no answer."""

    count: int
    """How often in a row."""
    since: float
    """In seconds since 1970."""
    decision: int | None = None
    """The decision that came to nothing; None: none was made."""


class RestartRules(ScheduleRules, frozen=True, forbid_unknown_fields=False):
    """The rules of a restart, as the journal keeps them: for one that a newer release has added it is not put aside."""

    @classmethod
    def of(cls, rules: ScheduleRules) -> "RestartRules":
        """Return ``rules`` of a recipe as they are kept."""
        return rules if isinstance(rules, cls) else cls(**asdict(rules))


class InstallRecord(Extensible, frozen=True):
    """What the journal keeps of one patch. Times are seconds since 1970."""

    patch_id: str
    version: str
    state: LifeState
    first_seen_at: float
    changed_at: float
    number: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of the publication; 0: the record is from before there were numbers."""
    replaces: dict[str, int] = msgspec.field(default_factory=dict)
    """As the manifest has it."""
    decision: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Number of the last decision to install or to roll back; one is carried out at most once."""
    failure: FailureClass | None = None
    reason: str = ""
    """Why it failed, in words."""
    attempts: dict[FailureClass, int] = msgspec.field(default_factory=dict)
    retry_at: float | None = None
    """When it is tried, or asked for, again; None: not by itself."""
    put_off: PutOff | None = None
    """What it waits for, other than its schedule; None: nothing."""
    ending: InstallEnding | None = None
    """How its installer has ended; None: not yet."""
    seen_before: dict[str, str] = msgspec.field(default_factory=dict)
    """What was seen before the installation; what differs afterwards, it has changed."""
    package: PackageFile | None = None
    """What its file holds by the package manager's own word; None: not known, or no package."""
    selection: str = ""
    """What this PC's administrator wanted of the package before, as dpkg calls it."""
    begun_boot: str = ""
    """The boot id when its installer was started."""
    restarted_at: float | None = None
    """When it was noticed that the PC had been restarted after the installation."""
    interrupted: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How often a start of the daemon has found this decision half carried out."""
    deferral_count: Annotated[int, msgspec.Meta(ge=0)] = 0
    deferred_until: float | None = None
    deferred_since: float | None = None
    """When the last deferral began."""
    overdue_since: float | None = None
    """When this PC first saw its deadline over; later than the deadline where it was off then."""
    undo_asked: bool = False
    previous_version: str = ""
    """The version that was installed before it, as its package manager writes it; empty: none."""
    installed_as: str = ""
    """The version that was there right after the installation, likewise: only that version is rolled back."""
    previous: KeptFile | None = None
    own: KeptFile | None = None
    """Its own payload, kept since it was installed."""
    predecessors: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_PREDECESSORS)] = ()
    """The last versions of the patch that were installed here before it, and that it has replaced."""
    restart_boot: str | None = None
    """The boot id when it needed a restart: done once the PC has another. None: no restart is needed."""
    restart_rules: RestartRules | None = None
    """When that restart may be, from its beginning on: a patch that is withdrawn takes its recipe with it."""
    supervised: bool = False
    """Whether a supervisor outside of the daemon carries out what it is at: it is p2pdist's own package."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)

    @property
    def untouched(self) -> bool:
        """Whether nothing has happened with it that is worth keeping."""
        return self.state == "waiting" and not (
            self.attempts or self.deferral_count or self.own or self.undo_asked or self.restart_boot
        )


class HistoryEntry(Extensible, frozen=True):
    """One step that was taken."""

    at: float
    patch_id: str
    version: str
    decision: int
    what: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
    output: Annotated[str, msgspec.Meta(max_length=MAX_OUTPUT_CHARS)] = ""


class Journal(Extensible, frozen=True):
    """The file that is written before and after each step; what a newer release has added is ignored (ADR 0057)."""

    decisions: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many decisions have been made; never decreases."""
    records: Annotated[tuple[InstallRecord, ...], msgspec.Meta(max_length=MAX_RECORDS)] = ()
    history: Annotated[tuple[HistoryEntry, ...], msgspec.Meta(max_length=MAX_HISTORY)] = ()
    lowest: Annotated[dict[str, int], msgspec.Meta(max_length=MAX_NUMBERED)] = msgspec.field(default_factory=dict)
    """The lowest number that may be installed, by patch id: the highest that ever was; never sinks.

    A rollback does not change it: going back is then this PC's own decision, and of its own files.
    """
    custody: Custody = Custody()
    """What patches came to, by a log that only grows: what leaves the history stays below its root."""

    def record(self, ref: PatchRef) -> InstallRecord | None:
        """Return the record of a patch."""
        return next((r for r in self.records if r.ref == ref), None)

    def with_record(self, record: InstallRecord, entry: HistoryEntry | None = None) -> "Journal":
        """Return the journal with ``record`` in place of its predecessor, and ``entry`` added to the history."""
        others = [r for r in self.records if r.ref != record.ref]
        history = self.history if entry is None else (*self.history, entry)[-MAX_HISTORY:]
        return replace(
            self,
            decisions=max(self.decisions, record.decision),
            records=(*others[-(MAX_RECORDS - 1) :], record),
            history=history,
            lowest=_raised(self.lowest, record),
            custody=_in_custody(self.custody, self.record(record.ref), record),
        )


def _in_custody(custody: Custody, before: InstallRecord | None, after: InstallRecord) -> Custody:
    """Return the log with what ``after`` came to; one attempt that found something busy is no outcome."""
    known = ("waiting", 0) if before is None else (before.state, before.decision)
    gone = known[0] == "installed" and after.state == "waiting"
    if known == (after.state, after.decision) or not (gone or after.state in _OUTCOMES):
        return custody
    return custody.with_record(
        CustodyRecord(
            at=int(after.changed_at),
            patch_id=after.patch_id,
            version=after.version,
            number=after.number,
            decision=after.decision,
            outcome=after.state,
            failure=after.failure or "",
            installed_as=after.installed_as[:MAX_TOLD_VERSION_CHARS],
        )
    )


def _raised(lowest: dict[str, int], record: InstallRecord) -> dict[str, int]:
    """Return the lowest numbers that are allowed, now that ``record`` is as it is."""
    if record.state != "installed":
        return lowest
    wanted = {patch_id: number + 1 for patch_id, number in record.replaces.items()} | {record.patch_id: record.number}
    higher = {patch_id: number for patch_id, number in wanted.items() if number > lowest.get(patch_id, 0)}
    if not higher:
        return lowest
    others = [(patch_id, number) for patch_id, number in lowest.items() if patch_id not in higher]
    return dict([*others, *higher.items()][-MAX_NUMBERED:])


def new_record(manifest: Manifest, now: float) -> InstallRecord:
    """Return the record of a publication with which nothing has happened."""
    return InstallRecord(
        patch_id=manifest.patch_id,
        version=manifest.version,
        state="waiting",
        first_seen_at=now,
        changed_at=now,
        number=manifest.number,
        replaces=manifest.replaces,
    )


def published_again(record: InstallRecord, manifest: Manifest, now: float) -> InstallRecord:
    """Return the record of a version that is published again with a higher number: what had failed is tried anew."""
    if record.number == 0 or record.state in ("installed", "unproven") or record.state in UNDER_WAY:
        return replace(record, number=manifest.number, replaces=manifest.replaces)
    return replace(new_record(manifest, now), restart_boot=record.restart_boot, restart_rules=record.restart_rules)


_STRENGTH: dict[Reboot, int] = {"never": 0, "ask": 1, "window": 2}


def with_restart_of(record: InstallRecord, predecessors: Iterable[InstallRecord]) -> InstallRecord:
    """Return the record with the restart that the versions before it still need; of several rules, the strongest."""
    for other in predecessors:
        if other.restart_boot is None:
            continue
        boot, rules = record.restart_boot, record.restart_rules
        if boot is None or _strength(other.restart_rules) > _strength(rules):
            rules = other.restart_rules
        record = replace(record, restart_boot=boot or other.restart_boot, restart_rules=rules)
    return record


def with_predecessors(record: InstallRecord, replaced: Iterable[InstallRecord]) -> InstallRecord:
    """Return the record, which says that it has ``replaced`` those: theirs are dropped."""
    versions = [version for other in replaced for version in (*other.predecessors, other.version)]
    known = dict.fromkeys((*versions, *record.predecessors))
    return replace(record, predecessors=tuple(known)[-MAX_PREDECESSORS:])


def _strength(rules: ScheduleRules | None) -> int:
    return -1 if rules is None else _STRENGTH[rules.reboot]


def step(record: InstallRecord, event: LifeEvent, now: float) -> InstallRecord:
    """Return the record after ``event``, with everything that follows from the state alone."""
    state = TRANSITIONS.after(record.state, event)
    after = replace(record, state=state, changed_at=now, retry_at=None, supervised=False)
    if after.state in _FINAL:
        after = replace(after, seen_before={}, interrupted=0, restarted_at=None, ending=None)
    if after.state in _NO_LONGER_PUT_OFF:
        after = replace(after, put_off=None)
    if after.state == "installed":
        return replace(after, failure=None, reason="", attempts={}, deferred_until=None, deferred_since=None)
    return replace(after, undo_asked=False) if after.state == "waiting" else after


def failed(record: InstallRecord, failure: FailureClass, reason: str) -> InstallRecord:
    """Return the record with its failure, counted; the class decides how often it is tried again (`settled`)."""
    attempts = {**record.attempts, failure: record.attempts.get(failure, 0) + 1}
    return replace(record, failure=failure, reason=reason[:MAX_TEXT_CHARS], attempts=attempts)


def settled(record: InstallRecord, now: float, jitter: float) -> InstallRecord:
    """Return a record that is in a final state (failed, rolled back), with the time of its next try."""
    if record.failure is None:
        return replace(record, retry_at=None)
    most, first_seconds, longest_seconds = PATIENCE[record.failure]
    count = record.attempts.get(record.failure, 0)
    if count >= most:
        return replace(record, retry_at=None)
    return replace(record, retry_at=now + Backoff(first_seconds, longest_seconds, count).delay_seconds(jitter))


def restart_is_asked(rules: ScheduleRules | None) -> bool:
    """Return whether a restart that is needed has to be made: not by rules that ask for none. None: they are lost."""
    return rules is None or rules.reboot != "never"


def reported_state(record: InstallRecord) -> InstallState:
    """Return the state as it is reported to the server: failed and rolled back are those that nobody tries again."""
    if record.state in UNDER_WAY:
        return "installing"
    if record.restart_boot is not None and (
        record.state == "unproven" or (record.state == "installed" and restart_is_asked(record.restart_rules))
    ):
        return "restart_pending"
    if record.state in ("failed", "rolled_back") and record.retry_at is not None:
        return "retrying"
    return record.state  # type: ignore[return-value]
