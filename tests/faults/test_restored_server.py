"""With real processes: a server is backed up, lost and restored, amid what its PCs do; and a backup is killed."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.fleet_size.restoring import restore
from bench.fleet_size.sizes import QUICK
from seed_server.backup.backing_up import back_up
from seed_server.backup.objects import BackupDirectory
from seed_server.backup.verifying import verify_backup
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings

pytestmark = pytest.mark.processes

BACKUP = [sys.executable, "-c", "from seed_server.commands.main import main; main()", "backup"]
PAYLOADS, PAYLOAD_BYTES = 12, 8 << 20
KILLED_AFTER = (0, 4)
"""How many payloads are copied by then."""


@pytest.mark.slow
async def test_a_restore_gets_back_what_was_published_denied_and_enrolled_since(tmp_path: Path) -> None:
    figures = (await restore(QUICK, tmp_path)).figures
    assert figures.pop("accept_seconds") < 300
    assert figures.pop("installations") >= 14, "five patches on three PCs, one at least on the one that was denied"
    assert figures == {
        "denied_back": 0, "old_tokens_taken": 0, "patches_lost": 0, "refusing": 0, "reinstallations": 0,
    }  # fmt: skip


@pytest.mark.slow
def test_a_backup_that_is_killed_leaves_the_former_one_whole_and_the_next_goes_on(tmp_path: Path) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.87.1"), passphrase=None, now=time.time())
    context = Context(home)
    former = back_up(context, tmp_path / "backup", None)
    for _ in range(PAYLOADS):
        data = os.urandom(PAYLOAD_BYTES)
        (home.content / hashlib.sha256(data).hexdigest()).write_bytes(data)
    for copied in KILLED_AFTER:
        process = subprocess.Popen([*BACKUP, tmp_path / "backup", "--home", home.root, "--without-keys"])
        while large_files(tmp_path) <= copied:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.001)
        process.kill()
        process.wait()
        found = verify_backup(tmp_path / "backup", None)
        assert (found.faults, found.files.backup_at) == ((), former.backup_at)
        assert found.leftovers > copied
    done = back_up(context, tmp_path / "backup", None)
    assert done.new_bytes <= (PAYLOADS - KILLED_AFTER[-1]) * PAYLOAD_BYTES, "what was copied is not copied again"
    found = verify_backup(tmp_path / "backup", None)
    assert (found.faults, found.leftovers) == ((), 0)
    assert {path.name for path in home.content.iterdir()} <= {file.sha256 for file in found.files.files}


def large_files(folder: Path) -> int:
    return sum(path.stat().st_size == PAYLOAD_BYTES for path in BackupDirectory(folder / "backup").objects())
