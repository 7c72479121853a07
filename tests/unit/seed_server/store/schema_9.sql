-- a database of release 0.2.0 (user_version 9) with rows of every kind; its statements are never edited
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
PRAGMA user_version = 9;
INSERT INTO tokens VALUES (x'0a0b', 2, 2000.5, 1000.5, 'lab x64', 'anna', 1, NULL), (x'0c0d', 0, 2000, 1000, '', '', 0, 1500);
INSERT INTO endpoints VALUES
    ('aa', 'pc-1', 1001.5, 0, 'tokyo', '127.0.94.1', '0.2.0', 1, 1100.25, 'lab x64', 0, 'osaka', 'expired', 'pc-2'),
    ('bb', 'pc-2', 1002, 1, '', '', '', 0, 0, '', 1, '', '', '');
INSERT INTO enrolments VALUES ('aa', '0a0b', 1001.5);
INSERT INTO patches VALUES ('editor', '2.0', 'Editor', 'critical', 9.8, 1, 1010.5, 1), ('viewer', '1', 'Viewer', 'low', NULL, 2, 1020, 0);
INSERT INTO payloads VALUES
    ('t1', 'editor', '2.0', 0, 'a.msi', 's1', 5000000000, 262144, 19074, 'windows', 'x64', 'ja', ''),
    ('t2', 'editor', '2.0', 1, 'b.deb', 's2', 7, 16384, 1, 'linux', '', '', 'changed on disk'),
    ('t3', 'viewer', '1', 0, 'c.bin', 's3', 9, 16384, 1, '', '', '', '');
INSERT INTO reports VALUES
    ('aa', 'editor', '2.0', 'verified', 1, 6000000000, 12, 3, 61.5, '', 1090.5, 'failed', 'exit code 1603', 'no space'),
    ('bb', 'viewer', '1', 'failed', 0.5, 0, 0, 0, 0, 'disk full', 1091, '', '', '');
INSERT INTO site_limits VALUES
    ('tokyo', 1095, 1, 2, 1, 250000, 500000, 0, 'steady', 'business', '{"limited": 3.5}', 1.5, 9, 1094, 0.02, 0.001, 1);
INSERT INTO wan_bytes VALUES ('tokyo', 't1', 6000000001);
INSERT INTO diagnoses VALUES ('aa', 'office', 'editor', 1, 0, 'newer is there', 1096), ('aa', 'office', 'viewer', 0, NULL, '', 1096);
