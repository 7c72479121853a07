"""`p2pdist.transfer.wants`: each thing is said once, and all of it again to a new server."""

import dataclasses

from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import Holdings, Want
from p2pdist.transfer.states import giving_up
from p2pdist.transfer.torrent_engine import TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.wants import Wants
from tests.helpers.patch_views import transfer


def with_pieces(n: int, have: int) -> Transfer:
    snapshot = TransferSnapshot(
        torrent_hash=transfer(n).torrent_hash, phase="downloading", piece_count=2, have=have, lan_have=0,
        bytes_from_peers=0, bytes_to_peers=0, bytes_wasted=0, progress=0.0, peers=(), fault=None,
    )  # fmt: skip
    return dataclasses.replace(transfer(n), snapshot=snapshot)


def test_what_is_here_and_what_is_gone_is_said_once() -> None:
    wants, half, whole = Wants(lambda: True), with_pieces(1, 1), with_pieces(2, 3)
    wants.forget([half, whole], takes_holdings=True)
    wants.give_up(transfer(3).torrent_hash)
    gone, held, want = wants.take([half, whole, transfer(4)], 0.0)
    assert gone == giving_up(transfer(3).torrent_hash)
    assert held == Holdings(bytes.fromhex(whole.torrent_hash)[:HELD_BYTES])
    assert isinstance(want, Want)
    assert want.torrent == half.torrent_hash
    assert wants.take([half, whole], 0.0) == []


def test_a_new_server_is_told_all_of_it_and_not_what_was_given_up_before() -> None:
    wants, whole = Wants(lambda: True), with_pieces(1, 3)
    wants.take([whole], 0.0)
    wants.give_up(transfer(3).torrent_hash)
    whole.origin_error = "it had none"
    wants.forget([whole], takes_holdings=False)
    (want,) = wants.take([whole], 0.0)
    assert (want, whole.origin_error) == (whole.wanted, "")
