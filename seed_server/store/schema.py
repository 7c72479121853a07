"""The tables of the state database, and how each older version becomes the next. Pure."""

SCHEMA_VERSION = 9

SCHEMA = """
CREATE TABLE tokens (
    secret_sha256 BLOB PRIMARY KEY,
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at REAL NOT NULL,
    created_at REAL NOT NULL,
    tags TEXT NOT NULL DEFAULT '',
    made_by TEXT NOT NULL DEFAULT '',
    approval INTEGER NOT NULL DEFAULT 0,
    revoked_at REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE endpoints (
    endpoint_id TEXT PRIMARY KEY,
    hostname TEXT NOT NULL,
    enrolled_at REAL NOT NULL,
    denied INTEGER NOT NULL DEFAULT 0,
    site TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '',
    software TEXT NOT NULL DEFAULT '',
    connected INTEGER NOT NULL DEFAULT 0,
    last_seen_at REAL NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '',
    pending INTEGER NOT NULL DEFAULT 0,
    claimed_site TEXT NOT NULL DEFAULT '',
    refuses TEXT NOT NULL DEFAULT '',
    shared_with TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE enrolments (
    endpoint_id TEXT NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    token_id TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (endpoint_id, token_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE patches (
    patch_id TEXT NOT NULL,
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    cvss REAL,
    sequence INTEGER NOT NULL,
    published_at REAL NOT NULL,
    emergency INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (patch_id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE payloads (
    torrent_hash TEXT NOT NULL,
    patch_id TEXT NOT NULL,
    version TEXT NOT NULL,
    number INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    length_bytes INTEGER NOT NULL,
    piece_length_bytes INTEGER NOT NULL,
    piece_count INTEGER NOT NULL,
    platform TEXT NOT NULL,
    arch TEXT NOT NULL,
    language TEXT NOT NULL,
    damaged TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (patch_id, version, number),
    FOREIGN KEY (patch_id, version) REFERENCES patches ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX payloads_by_torrent ON payloads (torrent_hash);
CREATE TABLE reports (
    endpoint_id TEXT NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    patch_id TEXT NOT NULL,
    version TEXT NOT NULL,
    state TEXT NOT NULL,
    progress REAL NOT NULL,
    bytes_from_origin INTEGER NOT NULL,
    bytes_from_peers INTEGER NOT NULL,
    bytes_wasted INTEGER NOT NULL,
    seconds REAL NOT NULL,
    error TEXT NOT NULL,
    reported_at REAL NOT NULL,
    install TEXT NOT NULL DEFAULT '',
    install_reason TEXT NOT NULL DEFAULT '',
    install_output TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (endpoint_id, patch_id, version),
    FOREIGN KEY (patch_id, version) REFERENCES patches ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE site_limits (
    site TEXT PRIMARY KEY,
    at REAL NOT NULL,
    active INTEGER NOT NULL,
    endpoints INTEGER NOT NULL,
    fetchers INTEGER NOT NULL,
    rate INTEGER NOT NULL,
    capacity INTEGER,
    configured INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    seconds TEXT NOT NULL,
    yield_seconds REAL NOT NULL,
    sending_seconds REAL NOT NULL,
    learned_at REAL,
    round_trip_seconds REAL,
    loss_share REAL,
    large_packets_lost INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE wan_bytes (
    site TEXT NOT NULL,
    torrent_hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (site, torrent_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE diagnoses (
    endpoint_id TEXT NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    template TEXT NOT NULL,
    label TEXT NOT NULL,
    applies INTEGER NOT NULL,
    needed INTEGER,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (endpoint_id, template, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX diagnoses_by_template ON diagnoses (template);
"""


def _table(name: str) -> str:
    """Return the statement that creates a table; for a migration, as long as the table is still as it made it."""
    start = SCHEMA.index(f"CREATE TABLE {name} (")
    return SCHEMA[start : SCHEMA.index(";\n", start) + 2]


_FIRST_SITE_LIMITS = """
CREATE TABLE site_limits (
    site TEXT PRIMARY KEY,
    at REAL NOT NULL,
    active INTEGER NOT NULL,
    endpoints INTEGER NOT NULL,
    fetchers INTEGER NOT NULL,
    rate INTEGER NOT NULL,
    capacity INTEGER,
    configured INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    seconds TEXT NOT NULL,
    yield_seconds REAL NOT NULL,
    sending_seconds REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

_SEVERAL_PAYLOADS = f"""
{_table("payloads")}
INSERT INTO payloads SELECT torrent_hash, patch_id, version, 0, file_name, sha256, length_bytes, piece_length_bytes,
    piece_count, '', '', '', damaged FROM patches;
CREATE TABLE new_patches (
    patch_id TEXT NOT NULL,
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    cvss REAL,
    sequence INTEGER NOT NULL,
    published_at REAL NOT NULL,
    PRIMARY KEY (patch_id, version)
) STRICT, WITHOUT ROWID;
INSERT INTO new_patches SELECT patch_id, version, title, severity, cvss, sequence, published_at FROM patches;
DROP TABLE patches;
ALTER TABLE new_patches RENAME TO patches;
"""  # noqa: S608 - our own schema

# from one version to the next; each is one transaction, with foreign keys off: a table may be made anew
MIGRATIONS = {
    1: _FIRST_SITE_LIMITS,
    2: _SEVERAL_PAYLOADS,
    3: f"""
ALTER TABLE tokens ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN install TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN install_reason TEXT NOT NULL DEFAULT '';
{_table("diagnoses")}
CREATE INDEX diagnoses_by_template ON diagnoses (template);
""",
    4: f"""
ALTER TABLE tokens ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN revoked_at REAL;
ALTER TABLE endpoints ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
{_table("enrolments")}
""",
    5: "ALTER TABLE endpoints ADD COLUMN claimed_site TEXT NOT NULL DEFAULT ''",
    6: """
ALTER TABLE site_limits ADD COLUMN learned_at REAL;
ALTER TABLE site_limits ADD COLUMN round_trip_seconds REAL;
ALTER TABLE site_limits ADD COLUMN loss_share REAL;
""",
    7: f"""
ALTER TABLE patches ADD COLUMN emergency INTEGER NOT NULL DEFAULT 0;
{_table("payloads").replace("payloads (", "new_payloads (", 1)}
INSERT INTO new_payloads SELECT torrent_hash, patch_id, version, number, file_name, sha256, length_bytes,
    piece_length_bytes, piece_count, platform, arch, language, damaged FROM payloads;
DROP TABLE payloads;
ALTER TABLE new_payloads RENAME TO payloads;
CREATE INDEX payloads_by_torrent ON payloads (torrent_hash);
""",  # noqa: S608 - our own schema
    8: """
ALTER TABLE endpoints ADD COLUMN refuses TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN install_output TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN shared_with TEXT NOT NULL DEFAULT '';
ALTER TABLE site_limits ADD COLUMN large_packets_lost INTEGER NOT NULL DEFAULT 0;
""",
}
