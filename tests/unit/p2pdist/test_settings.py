"""`p2pdist.settings`: what the types of `config.toml` cannot say."""

from pathlib import Path

import pytest

from p2pdist.settings import EndpointHome, load_settings
from p2pdist.shared.errors import FaultKind, UserError


@pytest.mark.parametrize("port", [0, 1_024, 7_691, 65_535])
def test_lan_port_is_any_free_one_or_no_system_port(tmp_path: Path, port: int) -> None:
    (tmp_path / "config.toml").write_text(f"lan_port = {port}\n")
    assert load_settings(EndpointHome(tmp_path)).lan_port == port


@pytest.mark.parametrize("port", [1, 443, 1_023])
def test_system_port_is_refused_with_its_line(tmp_path: Path, port: int) -> None:
    (tmp_path / "config.toml").write_text(f"mdns = false\nlan_port = {port}\n")
    words = "line 2, column 12: lan_port is a system port.*choose 0 or 1024 to 65535"
    with pytest.raises(UserError, match=words) as caught:
        load_settings(EndpointHome(tmp_path))
    assert caught.value.kind is FaultKind.BAD_INPUT
