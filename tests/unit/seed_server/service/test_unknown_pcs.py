"""`seed_server.service.unknown_pcs`: who is not enrolled is told what to wait for after a restore, and nothing else."""

from pathlib import Path
from typing import Any, cast

import pytest

from seed_server.enrolment.certificate_authority import ENDPOINT_LIFETIME_SECONDS
from seed_server.origin.published import nobody_else
from seed_server.service.messages import UnknownPc
from seed_server.service.unknown_pcs import CATCHING_UP, TAKING_BACK, UnknownPcs
from seed_server.settings.home import ServerHome
from seed_server.store.restored_mark import RestoredMark, mark_restored, write_mark

BACKUP, RESTORED = 1_800_000_000.0, 1_800_050_000.0


class Connection:
    endpoint, address = "a" * 26, "10.0.0.7"

    def __init__(self, issued_at: float) -> None:
        self.certificate_expires_at = issued_at + ENDPOINT_LIFETIME_SECONDS


@pytest.mark.parametrize("issued_at", [BACKUP - 1_000.0, BACKUP + 1_000.0])
def test_whoever_has_a_certificate_of_the_lost_time_is_taken_back_when_the_server_knows_who_is_denied(
    tmp_path: Path, issued_at: float
) -> None:
    home, told = ServerHome(tmp_path), list[UnknownPc]()
    unknown, pc = UnknownPcs(home, told.append), cast("Any", Connection(issued_at))
    assert unknown.why_later(pc, "desk") == ""
    mark_restored(home, backup_at=BACKUP, restored_at=RESTORED)
    lost = issued_at > BACKUP
    assert unknown.why_later(pc, "desk") == (CATCHING_UP if lost else "")
    assert told == []
    write_mark(home, RestoredMark(BACKUP, RESTORED, ended_at=RESTORED))
    assert unknown.why_later(pc, "desk") == (TAKING_BACK if lost else "")
    assert told == ([UnknownPc("a" * 26, "desk", "10.0.0.7", issued_at)] if lost else [])
    home.restored.write_bytes(b"damaged")
    assert unknown.why_later(pc, "desk") == nobody_else(pc, "desk") == ""
