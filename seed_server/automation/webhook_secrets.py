"""The secrets of webhooks: made here, kept sealed, opened where something is signed. Blocking."""

import secrets

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.webhook_signing import NEW_SECRET_BYTES, secret_of, secret_text
from seed_server.fleet import sealing
from seed_server.fleet.sealing import SealingError
from seed_server.settings.home import ServerHome
from seed_server.store.webhook_records import WebhookRow


def new_secret(given: str | None) -> str:
    """Return a secret, as it is written down: the one that is ``given``, or a new one. Raises as `secret_of`."""
    return secret_text(secrets.token_bytes(NEW_SECRET_BYTES) if given is None else secret_of(given))


def sealed_secret(home: ServerHome, name: str, text: str) -> bytes:
    """Return the secret ``text`` of the webhook ``name``, sealed. Raises `UserError`: STORAGE, REFUSED."""
    try:
        return sealing.seal(home.webhooks_key, name, secret_of(text))
    except SealingError as error:
        raise _unusable(home, name, str(error)) from error


def opened_secrets(home: ServerHome, row: WebhookRow, now: float) -> list[bytes]:
    """Return the secrets that sign for a webhook now, the newest first. Raises `UserError`: STORAGE, REFUSED."""
    sealed = [row.secret, *([row.former_secret] if row.former_secret and now < row.former_until else [])]
    try:
        return [sealing.unsealed(home.webhooks_key, row.name, one) for one in sealed]
    except SealingError as error:
        raise _unusable(home, row.name, str(error)) from error


def _unusable(home: ServerHome, name: str, why: str) -> UserError:
    return UserError(
        f"The key {home.webhooks_key}, which seals secrets of webhooks, cannot be used: {why}. Restore it from the "
        "backup of this server's home; or move it away, and make new secrets: seed-server webhook rotate-secret "
        f"{name} --at-once",
        FaultKind.STORAGE,
    )
