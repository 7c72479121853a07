"""What is known of the server itself stands together, also where some of it cannot be read."""

from seed_server.fleet.server_overview import read_server
from seed_server.signing.role_policy import OFFLINE_ROLES, ONLINE_ROLES
from seed_server.store.last_backup import LastBackup, write_last_backup
from tests.helpers.rollout_company import BEGIN, Company


def test_every_signed_role_is_told_with_its_end_and_its_keys(company: Company) -> None:
    found = read_server(company.context)
    roles = {one.role: one for one in found.roles}
    assert roles.keys() == {*OFFLINE_ROLES, *ONLINE_ROLES}
    assert all(one.expires_at > BEGIN for one in found.roles)
    assert [one.expires_at for one in found.roles] == sorted(one.expires_at for one in found.roles)
    assert (roles["patches"].threshold, len(roles["patches"].keys)) == (1, 1)
    assert (roles["timestamp"].offline, roles["timestamp"].keys) == (False, ())
    assert roles["timestamp"].lifetime_seconds == 86_400


def test_what_is_beside_them(company: Company) -> None:
    found = read_server(company.context)
    assert (found.database, found.settings.name, found.backup) == ("SQLite", "hq", None)
    assert found.authority_expires_at is not None
    assert found.entries > 0
    assert not found.head.serving
    write_last_backup(company.context.home, LastBackup(BEGIN, "/backup", files=7))
    backup = read_server(company.context).backup
    assert backup is not None
    assert backup.files == 7


def test_the_rest_is_told_where_signed_files_and_authority_cannot_be_read(company: Company) -> None:
    home = company.context.home
    (home.tuf_metadata / "timestamp.json").write_text("{")
    for file in home.ca.iterdir():
        file.write_text("")
    found = read_server(company.context)
    assert list(found.roles) == []
    assert found.head.repository_problem
    assert found.authority_expires_at is None
