"""The tables of logins in a browser: sessions, people's keys, and answers of keys that were taken. Pure.

Nothing in them opens anything: of a session's cookie there is the hash, of a key the public half.
"""

from sqlalchemy import Column, Index, LargeBinary

from seed_server.store.columns import large_count, octets, of, seconds, table, words

WEB_SESSIONS = table(
    "web_sessions",
    seconds("created_at"),
    seconds("used_at"),
    seconds("ends_at"),
    seconds("idle_seconds"),  # it ends when it was not used for so long
    seconds("factor_at"),  # when a second factor was shown last; 0: none was
    of("person", "people"),
    words("session_id"),
    words("proof"),  # one of `session_records.SessionProof`
    words("address"),  # where it began
    words("browser"),
    Column("secret_sha256", LargeBinary, primary_key=True),
    Index("web_sessions_by_person", "person"),
)

PASSKEYS = table(
    "passkeys",
    seconds("made_at"),
    seconds("used_at"),  # 0: never
    large_count("sign_count"),  # as the key counts; 0: it does not
    of("person", "people"),
    words("key_id"),
    words("name"),
    octets("public_key"),  # COSE
    Column("credential_id", LargeBinary, primary_key=True),
    Index("passkeys_by_person", "person"),
)

# an answer of a key is taken once, and is none after `until` anyway
TAKEN_CHALLENGES = table(
    "taken_challenges",
    seconds("until"),
    Column("challenge_sha256", LargeBinary, primary_key=True),
)
