"""What the forms of a patch's page do: each is one operation, as on the command line."""

from p2pdist.shared.language import tr
from seed_server.fleet import operations, rollout_operations, taking_back
from seed_server.reporting.rollout_sentences import started_sentences
from seed_server.web.api.given import Body, FromSite, MaybeReason, Name, NamedPatch, OnlyReason
from seed_server.web.frame.page import Done, Sent
from seed_server.web.pages.offer_words import patch_path
from seed_server.web.pages.ring_choices import shipped_template


class NothingSent(Body, frozen=True):
    """For forms that are a button alone."""


class StartingForm(Body, frozen=True):
    """A rollout that is to begin."""

    template: Name
    reason: MaybeReason = ""


class AtSite(Body, frozen=True):
    """At which site."""

    site: Name


def start(sent: Sent[NamedPatch, StartingForm]) -> Done:
    """Begin to offer the patch by rings."""
    rings = shipped_template(sent.context, sent.body.template)
    started = rollout_operations.start_rollout(
        sent.context, sent.actor, sent.given.patch, rings, note=sent.body.reason
    )  # fmt: skip
    said = tr("; ").join(sentence.strip() for sentence in started_sentences(started))
    return Done(f"/rollouts/{started.rollout.row.number}", said)


def withdraw(sent: Sent[NamedPatch, OnlyReason]) -> Done:
    """Offer the patch to nobody any more."""
    done = operations.withdraw(sent.context, sent.actor, sent.given.patch, sent.body.reason)
    patches = ", ".join(map(str, done.patches)) or sent.given.patch
    said = tr("{patches} is withdrawn: {reason}", patches=patches, reason=done.reason)
    if done.dependents:
        needed = ", ".join(map(str, done.dependents))
        said = f"{said} {tr('PCs without it wait with what requires it: {patches}.', patches=needed)}"
    return Done(patch_path(sent.given.patch), said)


def withdraw_at_site(sent: Sent[NamedPatch, FromSite]) -> Done:
    """Offer the patch to no PC of a site any more."""
    body = sent.body
    taking_back.withdraw_from_site(sent.context, sent.actor, sent.given.patch, body.site, body.reason)
    return Done(patch_path(sent.given.patch), tr("It is withdrawn at {site}.", site=body.site))


def offer(sent: Sent[NamedPatch, NothingSent]) -> Done:
    """Offer the patch again."""
    back = operations.offer(sent.context, sent.actor, sent.given.patch)
    patches = ", ".join(map(str, back))
    return Done(patch_path(sent.given.patch), tr("{patches} is offered to every PC again.", patches=patches))


def offer_at_site(sent: Sent[NamedPatch, AtSite]) -> Done:
    """Offer the patch at a site again."""
    taking_back.offer_at_site(sent.context, sent.actor, sent.given.patch, sent.body.site)
    return Done(patch_path(sent.given.patch), tr("It is offered at {site} again.", site=sent.body.site))
