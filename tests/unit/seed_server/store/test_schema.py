import sqlite3
from pathlib import Path

from seed_server.store.database import Database

RELEASE_0_2_0 = Path(__file__).with_name("schema_9.sql")


def shape(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    finally:
        connection.close()


def test_a_database_of_release_0_2_0_has_rows_of_every_kind_and_is_read(tmp_path):
    old = tmp_path / "old.db"
    raw = sqlite3.connect(old)
    raw.executescript(RELEASE_0_2_0.read_text())
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert all(raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)
    raw.close()
    with Database.create(tmp_path / "new.db"):
        pass
    assert shape(old) == shape(tmp_path / "new.db")
    with Database.open(old) as database:
        assert [row.endpoint_id for row in database.endpoints()] == ["aa", "bb"]
        assert [row.file_name for row in database.payloads()] == ["a.msi", "b.deb", "c.bin"]
        assert [row.install_reason for row in database.reports()] == ["exit code 1603", ""]
        assert [row.site for row in database.site_limits()] == ["tokyo"]
        assert database.wan_bytes() == {("tokyo", "t1"): 6_000_000_001}
        assert [row.needed for row in database.diagnoses("office")] == [False, None]
