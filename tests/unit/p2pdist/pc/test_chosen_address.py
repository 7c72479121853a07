"""`p2pdist.pc.chosen_address`: what `enrol --address` said, for the daemon."""

from pathlib import Path

import pytest

from p2pdist.pc.chosen_address import load_address, save_address
from p2pdist.shared.errors import FaultKind, UserError


@pytest.mark.parametrize("address", ["192.0.2.17", "2001:db8::17"])
def test_what_was_chosen_is_kept_until_it_is_not(tmp_path: Path, address: str) -> None:
    path = tmp_path / "state" / "address"
    assert load_address(path) is None
    save_address(path, address)
    assert load_address(path) == address
    save_address(path, None)
    save_address(path, None)
    assert load_address(path) is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"eth0", b"1" * 200])
def test_what_is_no_address_is_not_taken_for_any(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "address").write_bytes(content)
    with pytest.raises(UserError, match="has no IP address") as caught:
        load_address(path)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "address").mkdir()
    with pytest.raises(UserError) as read:
        load_address(tmp_path / "address")
    with pytest.raises(UserError) as written:
        save_address(tmp_path / "address", "192.0.2.17")
    assert read.value.kind is written.value.kind is FaultKind.STORAGE
