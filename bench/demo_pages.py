"""The demo's pages: where they are, and two people who may look and approve."""

import secrets
from pathlib import Path

import trio
from rich.text import Text

from bench.fleet import Fleet
from p2pdist.shared import durable_files

PEOPLE = {"you": "administrator", "colleague": "approver"}
"""Name → role. The second one approves what the first one starts: nobody approves their own."""
PASSWORD_BYTES = 9
ADDRESS = "127.0.0.1"


class DemoPages:
    """The pages of the demo's server."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self._fleet = fleet
        self._file = directory / "password"
        self.password = secrets.token_urlsafe(PASSWORD_BYTES)

    @property
    def address(self) -> str:
        """Where a browser of this machine finds them."""
        return f"https://{ADDRESS}:{self._fleet.api_port}/"

    async def hire(self) -> None:
        """Make the accounts of `PEOPLE`. Raises `FleetError`, `OSError`."""
        await trio.to_thread.run_sync(lambda: durable_files.write_file(self._file, self.password.encode(), mode=0o600))
        for name, role in PEOPLE.items():
            await self._fleet.on_server("people", "add", name, "--role", role, "--password-file", self._file)

    def invitation(self) -> Text:
        """Return where to look, and how to log in."""
        names = ", ".join(f"{name} ({role})" for name, role in PEOPLE.items())
        return Text.assemble(
            "\nThe pages: ", (self.address, "bold"), "  (browsers warn of the certificate, which is the demo's own)\n"
            f"Log in as {names}; the password of both is ", (self.password, "bold"),
            ".\nThe server and its PCs stay up until Ctrl-C, and leave nothing behind then.",
        )  # fmt: skip
