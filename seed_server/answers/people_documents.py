"""What is printed of accounts and API tokens, made of what `seed_server.fleet` answers."""

from p2pdist.shared.manifest.approvers import Approvers
from seed_server.answers.people import (
    ApiTokenDocument,
    ApproverDocument,
    ApproversDocument,
    EffectiveRightDocument,
    PersonDocument,
    PersonViewDocument,
)
from seed_server.fleet.people_queries import PersonView
from seed_server.store.people_rows import ApiTokenRow, PersonRow


def person_document(person: PersonRow) -> PersonDocument:
    """Return an account for tools."""
    return PersonDocument(
        name=person.name,
        roles=person.roles,
        sites=person.sites,
        tags=person.tags,
        disabled=person.disabled,
        password=bool(person.password),
        second_factor=bool(person.totp),
        made_at=person.created_at,
        made_by=person.created_by,
        logged_in_at=person.logged_in_at or None,
        subject=person.subject or None,
    )


def person_view_document(view: PersonView, now: float) -> PersonViewDocument:
    """Return an account with its rights and tokens for tools."""
    rights = tuple(
        EffectiveRightDocument(
            right=row.permission,
            allows=row.allows,
            has=row.scope is not None,
            roles=row.roles or None,
            whole_fleet=row.scope is not None and not row.scope.limited,
        )
        for row in view.rights
    )
    tokens = tuple(api_token_document(token, now) for token in view.tokens)
    return PersonViewDocument(account=person_document(view.person), rights=rights, api_tokens=tokens)


def api_token_document(token: ApiTokenRow, now: float) -> ApiTokenDocument:
    """Return an API token for tools."""
    return ApiTokenDocument(
        id=token.token_id,
        state=token.state(now),
        owner=token.owner,
        label=token.label,
        rights=token.permissions,
        sites=token.sites,
        tags=token.tags,
        made_at=token.created_at,
        made_by=token.made_by,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        used_at=token.used_at or None,
    )


def approvers_document(found: Approvers | None) -> ApproversDocument:
    """Return the list of approvers for tools; None: there is none."""
    if found is None:
        return ApproversDocument(required=0, required_in_emergency=0, since=None, approvers=())
    approvers = tuple(ApproverDocument(name=name, key=key.hex()) for name, key in sorted(found.keys.items()))
    return ApproversDocument(found.required, found.required_in_emergency, found.since, approvers)
