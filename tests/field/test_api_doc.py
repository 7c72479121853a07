"""The examples of docs/api.md do what it says: each is run as it stands, against a real server."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from bench.fleet_processes import free_ports
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings.server_toml import ServerSettings
from tests.api.cases import Filled, filled_home
from tests.helpers.running_server import Server
from tests.helpers.sources import ROOT

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = BLOCK.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
SAYS = ["", "[]", "pc-", '"operation"']
"""What each example prints, in their order, among other things."""


def test_every_example_is_run() -> None:
    assert [language for language, _ in EXAMPLES] == ["sh", "sh", "python", "python"]
    assert len(EXAMPLES) == len(SAYS)


@pytest.mark.trio
async def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    web, origin, api = free_ports(3)
    settings = ServerSettings(name="hq", address="127.0.73.1", web_port=web, origin_port=origin, api_port=api)
    filled: Filled = await trio.to_thread.run_sync(filled_home, tmp_path, settings)
    server = Server(filled.context.home, settings)
    (tmp_path / "ca.pem").write_text(CertificateAuthority.open(filled.context.home.ca).control_ca_pem)
    given = {"SEED_SERVER_API": f"https://127.0.0.1:{api}", "SEED_SERVER_API_TOKEN": filled.token}
    with trio.fail_after(90):
        await server.start()
        try:
            for (language, text), says in zip(EXAMPLES, SAYS, strict=True):
                command = ["bash", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
                run = partial(
                    subprocess.run, command, cwd=tmp_path, env=os.environ | given, capture_output=True, text=True,
                    timeout=60, check=False,
                )  # fmt: skip
                done = await trio.to_thread.run_sync(run)
                assert done.returncode == 0, done.stderr
                assert says in done.stdout
        finally:
            with trio.CancelScope(shield=True):
                await server.close()
