"""Names of sites and templates as names of files, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import InvalidIdentifierError
from seed_server.automation.declared_layout import (
    FLEET_KEYS,
    file_of_site,
    file_of_template,
    is_passed_over,
    known_keys,
    named_by,
)
from seed_server.settings.server_toml import ServerSettings

SITES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", fullmatch=True)


@given(SITES)
def test_every_site_has_a_file_of_its_own(site: str) -> None:
    path = file_of_site(site)
    assert path.count("/") == 1
    assert named_by(path) == site


def test_a_name_is_written_in_one_way_alone() -> None:
    assert file_of_site("auto-10.0.0.0/24") == "profiles/auto-10.0.0.0%2F24.toml"
    assert named_by(file_of_template("openssl-2026")) == "openssl-2026"
    for path in ("profiles/osl%6F.toml", "profiles/%2e%2e.toml", "profiles/a%2f.toml", "templates/a%2Fb.toml"):
        with pytest.raises(InvalidIdentifierError):
            named_by(path)


def test_files_of_version_control_and_texts_for_people_are_passed_over() -> None:
    assert [name for name in (".git", ".gitignore", "README.md", "sites.toml", "md") if is_passed_over(name)] == [
        ".git",
        ".gitignore",
        "README.md",
    ]


def test_what_says_where_the_server_is_belongs_to_the_machine() -> None:
    known = known_keys(ServerSettings.__struct_fields__)
    assert {"rollout_template", "retention"} <= set(known) <= set(FLEET_KEYS)
    assert not set(known) & {"name", "address", "listen_address", "database_url", "oidc", "web_port", "log_level"}
