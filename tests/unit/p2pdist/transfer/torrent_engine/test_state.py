"""`p2pdist.transfer.torrent_engine.state`: orders of events that a busy disk brings about."""

import pytest

from p2pdist.shared.identifiers import parse_sha256, parse_torrent_hash
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine import TorrentCompleted
from p2pdist.transfer.torrent_engine.state import TorrentState
from p2pdist.transfer.torrent_file import TorrentFile

DIGEST = "a" * 64


@pytest.fixture
def state() -> TorrentState:
    return TorrentState(parse_torrent_hash(DIGEST), TorrentFile(parse_sha256(DIGEST), 2, 1, 2, bytes(64)))


def test_complete_is_said_once_when_all_is_written(state: TorrentState) -> None:
    state.observe_activity("complete")
    assert state.snapshot().phase == "downloading"
    assert state.observe_flushed() == [TorrentCompleted(state.torrent_hash)]
    assert state.snapshot().phase == "complete"
    assert state.observe_flushed() == []


def test_pieces_that_are_proven_and_cannot_be_written_complete_nothing(state: TorrentState) -> None:
    state.observe_activity("complete")
    state.observe_fault(TransferFault(TransferFaultKind.DISK_FULL, "The disk is full"))
    assert state.observe_flushed() == []
    assert state.snapshot().phase == "error"
    state.fault = None
    state.begin_check()
    state.observe_activity("complete")
    assert state.observe_flushed() == [TorrentCompleted(state.torrent_hash)]
