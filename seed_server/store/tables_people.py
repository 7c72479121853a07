"""The tables of people: accounts, API tokens that speak for them, and attempts to log in. Pure.

Nothing in them opens anything: passwords and tokens are there as hashes, and seeds of second factors are sealed with a
key that is not in the database.
"""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint

from seed_server.store.columns import Words, flag, large_count, number, octets, of, seconds, table, words

PEOPLE = table(
    "people",
    number(),
    Column("name", Words, nullable=False, unique=True),
    words("roles"),  # with blanks between them, as the next two
    words("sites"),  # of their scope
    words("tags"),
    words("password"),  # as Argon2 writes it; empty: none opens the account
    octets("totp"),  # sealed; empty: no second factor
    words("subject"),  # of an identity provider: issuer, blank, sub; empty: the account is of this server alone
    large_count("totp_step"),  # of the last code: it is taken once
    flag("disabled"),
    seconds("created_at"),
    words("created_by"),
    seconds("logged_in_at"),  # 0: never
    rowid=True,
    never_again=True,
)

API_TOKENS = table(
    "api_tokens",
    Column("secret_sha256", LargeBinary, primary_key=True),
    words("token_id"),
    of("person", "people"),
    words("label"),
    words("permissions"),
    words("sites"),
    words("tags"),
    seconds("created_at"),
    words("made_by"),
    seconds("expires_at"),
    seconds("revoked_at", nullable=True),
    seconds("used_at"),  # 0: never
    Index("api_tokens_by_person", "person"),
)

# of names that nobody has too: else the wait would tell which there are
LOGINS = table(
    "logins",
    words("name"),
    words("source"),
    large_count("failures"),  # since the last success
    seconds("failed_at"),  # 0: never, as the next one
    seconds("succeeded_at"),
    PrimaryKeyConstraint("name", "source"),
)
