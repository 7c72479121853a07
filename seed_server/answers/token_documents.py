"""What is printed of enrolment tokens, made of what `seed_server.fleet` answers."""

from p2pdist.shared.wire.enrolment import encode_token
from seed_server.answers.operations import TokenDocument, TokenRowDocument
from seed_server.fleet.operations import TokenMade
from seed_server.store.rows import TokenRow


def token_document(token: TokenRow, now: float) -> TokenRowDocument:
    """Return what is printed of a token, without its secret."""
    return TokenRowDocument(
        id=token.token_id,
        state=token.state(now),
        made_at=token.made_at,
        made_by=token.made_by or None,
        uses_left=token.uses_left,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        approval=token.approval,
        tags=token.tags,
        enrolled=token.enrolled,
    )


def token_made_document(made: TokenMade) -> TokenDocument:
    """Return what is printed of a new token, with its secret."""
    return TokenDocument(
        token=encode_token(made.token),
        uses=made.uses,
        expires_at=made.expires_at,
        tags=made.tags,
        id=made.token_id,
        approval=made.approval,
    )
