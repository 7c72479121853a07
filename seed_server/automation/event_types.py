"""The closed list of events that others are told, and which entry of the audit log is which of them. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from seed_server.fleet.rollout import RolloutStep
from seed_server.store.audit_entry import AuditEntry

EVERY_TYPE = "*"
PING = "webhook.ping"
"""Sent when somebody asks for it: of no entry, and to that webhook alone, whatever it is subscribed to."""

EVENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "patch.published": "A patch is published, or the signatures of one that was prepared are in force.",
        "patch.withdrawn": "A patch is withdrawn: for good, until it is offered again, from a ring on, or at a site.",
        "patch.offered": "A withdrawn patch is offered again, everywhere or at a site.",
        "signing.prepared": "A bundle waits for signatures.",
        "signing.dropped": "A bundle that waited for signatures is dropped.",
        "signing.finished": "What was signed elsewhere is in force; of patches, the events above say so.",
        "rollout.started": "A rollout begins.",
        "rollout.ring_opened": "A ring of a rollout opens.",
        "rollout.waiting": "A rollout waits for a person's word: only silent PCs are left.",
        "rollout.running": "A rollout that waited goes on: it has its approvals, or PCs are to decide again.",
        "rollout.paused": "A rollout is paused, by a person or because business suffers at too many sites.",
        "rollout.resumed": "A person lets a rollout go on.",
        "rollout.halted": "A rollout is halted: no PC begins any more.",
        "rollout.aborted": "A rollout is over before it came to all PCs.",
        "rollout.completed": "All rings of a rollout are through.",
        "rollout.stuck": "The server cannot carry a rollout on: something is broken.",
        "site.paused": "Leasing at a site pauses, as business suffered while it was sent to; once an hour at most.",
        "approval.needed": "The next ring of a rollout lacks approvals.",
        "approval.given": "Somebody approves a rollout.",
        "exception.added": "A patch is held back from some PCs until a day.",
        "exception.ended": "Such an exception is ended before its day.",
        "endpoint.enrolled": "A PC enrols, or enrols again; it may wait to be allowed.",
        "endpoint.allowed": "A PC is accepted, or accepted again.",
        "endpoint.denied": "A PC is refused from now on.",
        "endpoint.forgotten": "A PC is forgotten.",
        "endpoint.followed_up": "Somebody says what is done about a PC that lacks patches.",
        "token.made": "A token that enrols PCs is made.",
        "token.revoked": "Such a token is revoked.",
        "profile.set": "A site's throttle profile is set.",
        "profile.cleared": "A site's throttle profile is cleared.",
        "template.set": "A diagnosis template is set.",
        "template.removed": "A diagnosis template is removed.",
        "account.added": "An account is made.",
        "account.changed": "Roles, scope, password, second factor, keys or state of an account change.",
        "account.removed": "An account is removed.",
        "account.logged_in": "Somebody logs in, with a browser or at the identity provider.",
        "account.logged_out": "Somebody logs out, or logins of an account are ended.",
        "account.key_refused": "A key of an account is refused, as it may be a copy.",
        "api_token.made": "An API token is made.",
        "api_token.revoked": "An API token is revoked.",
        "approvers.set": "The list of those whose approval PCs want is another one.",
        "keys.renewed": "The offline metadata is signed anew.",
        "audit.key_changed": "The audit log is signed with another key.",
        "settings.changed": "The server's settings or the site map change.",
        "settings.applied": "Settings are applied from files, or that has ended early.",
        "intelligence.imported": "What is known of exploited weaknesses is imported.",
        "history.archived": "A month of what PCs did has become an archive.",
        "history.removed": "An archive has had its time, and is removed.",
        "history.held": "A legal hold begins.",
        "history.released": "A legal hold is released.",
        "content.removed": "Files of patches that nobody can need any more are removed.",
        "server.moving": "PCs are told other addresses of the server.",
        "server.left": "The server has left this home.",
        "server.restored": "The server is restored from a backup, or gets back from PCs what it lacked.",
        "webhook.added": "A webhook is set up.",
        "webhook.changed": "A webhook is paused, resumed, tried or disabled, its secret is changed, or it sends again.",
        "webhook.removed": "A webhook is removed.",
    }
)
"""Every type of event, and what it says."""

_BY_OPERATION: Mapping[str, str] = MappingProxyType(
    {
        "publish": "patch.published",
        "withdraw": "patch.withdrawn",
        "offer": "patch.offered",
        "prepare": "signing.prepared",
        "drop prepared": "signing.dropped",
        "finish": "signing.finished",
        "start rollout": "rollout.started",
        "pause rollout": "rollout.paused",
        "resume rollout": "rollout.resumed",
        "halt rollout": "rollout.halted",
        "abort rollout": "rollout.aborted",
        "approve rollout": "approval.given",
        "rollouts: halt": "rollout.halted",
        "rollout stuck": "rollout.stuck",
        "pause site": "site.paused",
        "add exception": "exception.added",
        "exception": "exception.added",
        "end exception": "exception.ended",
        "enrol": "endpoint.enrolled",
        "enrol again": "endpoint.enrolled",
        "allow": "endpoint.allowed",
        "deny": "endpoint.denied",
        "forget": "endpoint.forgotten",
        "follow up": "endpoint.followed_up",
        "change settings": "settings.changed",
        "set site map": "settings.changed",
        "apply files": "settings.applied",
        "apply ended early": "settings.applied",
        "import intelligence": "intelligence.imported",
        "set profiles": "profile.set",
        "set templates": "template.set",
        "make token": "token.made",
        "revoke token": "token.revoked",
        "set profile": "profile.set",
        "clear profile": "profile.cleared",
        "set template": "template.set",
        "remove template": "template.removed",
        "add account": "account.added",
        "set roles": "account.changed",
        "set scope": "account.changed",
        "set password": "account.changed",
        "set second factor": "account.changed",
        "remove second factor": "account.changed",
        "disable account": "account.changed",
        "enable account": "account.changed",
        "end rights": "account.changed",
        "remove account": "account.removed",
        "log in": "account.logged_in",
        "log out": "account.logged_out",
        "end sessions": "account.logged_out",
        "add key": "account.changed",
        "rename key": "account.changed",
        "remove key": "account.changed",
        "refuse key": "account.key_refused",
        "make API token": "api_token.made",
        "revoke API token": "api_token.revoked",
        "set approvers": "approvers.set",
        "renew": "keys.renewed",
        "sign audit key": "audit.key_changed",
        "new audit key": "audit.key_changed",
        "archive month": "history.archived",
        "remove archive": "history.removed",
        "hold history": "history.held",
        "release history": "history.released",
        "remove content": "content.removed",
        "change addresses": "server.moving",
        "leave home": "server.left",
        "restore": "server.restored",
        "adopt signed files": "server.restored",
        "add webhook": "webhook.added",
        "test webhook": "webhook.changed",
        "rotate webhook secret": "webhook.changed",
        "pause webhook": "webhook.changed",
        "resume webhook": "webhook.changed",
        "disable webhook": "webhook.changed",
        "redeliver webhook": "webhook.changed",
        "remove webhook": "webhook.removed",
        **{
            f"rollout: {step.value}": kind
            for step, kind in {
                RolloutStep.RING_OPENED: "rollout.ring_opened",
                RolloutStep.UNAPPROVED: "approval.needed",
                RolloutStep.APPROVED: "rollout.running",
                RolloutStep.HELD: "rollout.waiting",
                RolloutStep.UNDECIDED: "rollout.running",
                RolloutStep.PAUSED: "rollout.paused",
                RolloutStep.RESUMED: "rollout.resumed",
                RolloutStep.HALTED: "rollout.halted",
                RolloutStep.FINISHED: "rollout.completed",
                RolloutStep.ABORTED: "rollout.aborted",
            }.items()
        },
    }
)
_SIGNED_ELSEWHERE = (
    ("publish ", "patch.published"),
    ("withdraw ", "patch.withdrawn"),
    ("roll back ", "patch.withdrawn"),
)


def event_type(entry: AuditEntry) -> str | None:
    """Return the type of event that an entry of the audit log is; None: it is none, as nothing has changed by it."""
    kind = _BY_OPERATION.get(entry.operation)
    if kind == "signing.finished":
        return next((of for begins, of in _SIGNED_ELSEWHERE if entry.subject.startswith(begins)), kind)
    return kind


def known_operations() -> frozenset[str]:
    """Return the operations that are events."""
    return frozenset(_BY_OPERATION)


def is_subscription(prefix: str) -> bool:
    """Whether something can be subscribed to: a type, its first word for all that begin with it, or ``*``."""
    return prefix == EVERY_TYPE or any(subscribed((prefix,), kind) for kind in EVENT_TYPES)


def subscribed(prefixes: Iterable[str], kind: str) -> bool:
    """Whether a type of event is among those that somebody wants: ``rollout`` stands for all that begin with it."""
    return any(prefix in {EVERY_TYPE, kind} or kind.startswith(f"{prefix}.") for prefix in prefixes)
