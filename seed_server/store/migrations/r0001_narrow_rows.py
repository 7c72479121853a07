"""The first tables that both databases have; the rows of release 0.2.0 (SQLite, schema 9) move in.

Tables of 0.2.0 name PCs, patches and sites in full in each row. There is no way back.
"""

from alembic import op
from sqlalchemy import inspect

from seed_server.store.migrations.r0001_tables import TABLES

REVISION_NUMBER = "0001"

# as they were then: `store.tables` may go on
_PATCH_CODES = ("waiting", "checking", "fetching", "verifying", "verified", "failed")
_INSTALL_CODES = (
    "", "not_applicable", "waiting", "installing", "unproven", "restart_pending", "installed", "retrying",
    "rolled_back", "failed",
)  # fmt: skip
_SAID_PLACES = 16
_WHOLE_PROGRESS = 1000
_REPORTED_SINCE = 1_735_689_600
_CHILDREN_FIRST = ("diagnoses", "wan_bytes", "site_limits", "reports", "payloads", "enrolments", "patches", "endpoints",
                   "tokens")  # fmt: skip
_LIMITS = (
    "at, active, endpoints, fetchers, rate, capacity, configured, state, reason, seconds, yield_seconds, "
    "sending_seconds, learned_at, round_trip_seconds, loss_share, large_packets_lost"
)


def _code(column: str, codes: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{text}' THEN {code}" for code, text in enumerate(codes))
    return f"CASE {column} {cases} ELSE 0 END"  # a word of before 0.2.0: until the PC reports again, the first one


_MOVES = f"""
INSERT INTO sites (name) SELECT site FROM old_endpoints UNION SELECT site FROM old_site_limits
    UNION SELECT site FROM old_wan_bytes UNION SELECT '' ORDER BY 1;
INSERT INTO texts (text) SELECT DISTINCT install_reason FROM old_reports ORDER BY 1;
INSERT INTO tokens (secret_sha256, token_id, uses_left, expires_at, created_at, tags, made_by, approval, revoked_at)
    SELECT secret_sha256, lower(hex(substr(secret_sha256, 1, 6))), uses_left, expires_at, created_at, tags, made_by,
        approval, revoked_at
    FROM old_tokens;
INSERT INTO endpoints (endpoint_id, hostname, enrolled_at, denied, pending, site, address, software, connected_to,
        last_seen_at, tags, claimed_site, refuses, shared_with, recorded_of, recorded)
    SELECT endpoint_id, hostname, enrolled_at, denied, pending, s.number, address, software,
        CASE connected WHEN 1 THEN 1 END, last_seen_at, tags, claimed_site, refuses, shared_with, '', 0
    FROM old_endpoints e JOIN sites s ON s.name = e.site ORDER BY enrolled_at, endpoint_id;
INSERT INTO enrolments (endpoint, token_id, at)
    SELECT e.number, token_id, at FROM old_enrolments JOIN endpoints e USING (endpoint_id);
INSERT INTO patches (patch_id, version, title, severity, cvss, sequence, published_at, emergency)
    SELECT patch_id, version, title, severity, cvss, sequence, published_at, emergency
    FROM old_patches ORDER BY sequence, patch_id, version;
INSERT INTO payloads (patch, place, torrent_hash, file_name, sha256, length_bytes, piece_length_bytes, piece_count,
        platform, arch, language, damaged)
    SELECT p.number, o.number, torrent_hash, file_name, sha256, length_bytes, piece_length_bytes, piece_count,
        platform, arch, language, damaged
    FROM old_payloads o JOIN patches p USING (patch_id, version);
INSERT INTO standing (bytes_from_origin, bytes_from_peers, patch, endpoint, seconds, reported_at, reason, said,
        progress)
    SELECT bytes_from_origin, bytes_from_peers, p.number, e.number, CAST(round(min(seconds, 2147483647)) AS INTEGER),
        CAST(reported_at AS INTEGER) - {_REPORTED_SINCE}, t.number,
        {_code("state", _PATCH_CODES)} * {_SAID_PLACES} + {_code("install", _INSTALL_CODES)},
        CAST(progress * {_WHOLE_PROGRESS} AS INTEGER)
    FROM old_reports r JOIN patches p USING (patch_id, version) JOIN endpoints e USING (endpoint_id)
        JOIN texts t ON t.text = r.install_reason;
INSERT INTO standing_notes (patch, endpoint, bytes_wasted, error, install_output)
    SELECT p.number, e.number, bytes_wasted, error, install_output
    FROM old_reports JOIN patches p USING (patch_id, version) JOIN endpoints e USING (endpoint_id)
    WHERE bytes_wasted <> 0 OR error <> '' OR install_output <> '';
INSERT INTO tallies (patch, site, reason, said, endpoints)
    SELECT patch, site, reason, said, count(*)
    FROM standing JOIN endpoints ON number = endpoint WHERE NOT denied GROUP BY patch, site, reason, said;
INSERT INTO diagnoses (endpoint, template, label, applies, needed, reason, at)
    SELECT e.number, template, label, applies, needed, reason, at
    FROM old_diagnoses JOIN endpoints e USING (endpoint_id);
INSERT INTO site_limits (server, site, {_LIMITS})
    SELECT 1, s.number, {_LIMITS} FROM old_site_limits l JOIN sites s ON s.name = l.site;
INSERT INTO wan_bytes (site, torrent_hash, bytes)
    SELECT s.number, torrent_hash, bytes FROM old_wan_bytes w JOIN sites s ON s.name = w.site
"""  # noqa: S608 - our own codes


def upgrade() -> None:
    """Make the tables, and move the rows of 0.2.0 where they are."""
    connection = op.get_bind()
    moves = inspect(connection).has_table("reports")
    if moves:
        op.drop_index("payloads_by_torrent")
        op.drop_index("diagnoses_by_template")
        for name in _CHILDREN_FIRST:
            op.rename_table(name, f"old_{name}")
    TABLES.create_all(connection)
    connection.exec_driver_sql("INSERT INTO servers (number, name, root_pin) VALUES (1, '', '')")
    if moves:
        for statement in _MOVES.split(";\n"):
            connection.exec_driver_sql(statement)
        for name in _CHILDREN_FIRST:
            op.drop_table(f"old_{name}")
