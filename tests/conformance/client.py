#!/usr/bin/env python
"""Our TUF client as a command, of the shape that the TUF project's conformance suite drives.

It is a thin cover over `p2pdist.trust`: the session, its files with the floor, and
the HTTP client with its caps are the product's. What is missing is the catalogue,
which reads patches out of the targets. See README.md here.

    client.py --metadata-dir D init ROOT
    client.py --metadata-dir D --metadata-url U refresh
    client.py --metadata-dir D --metadata-url U --target-base-url B --target-dir T --target-name N download
"""

import argparse
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import trio

from p2pdist.shared import durable_files
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError
from p2pdist.trust.catalogue import DocumentError
from p2pdist.trust.errors import TrustError, translated_errors
from p2pdist.trust.files import TrustFiles, storage_errors
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.roots import check_root, newest_root
from p2pdist.trust.tuf_client import RepositoryPlace
from p2pdist.trust.tuf_session import TufSession

MAX_TARGET_BYTES = 1 << 20  # the suite's largest is a few kB

STATE = "p2pdist"  # the store's own directory, below the metadata directory


class Client:
    """One trust store, and the copies of its metadata that the suite looks at."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._directory: Path = options.metadata_dir
        self._state = self._directory / STATE
        self._files = TrustFiles(self._state / "trust")
        self._options = options

    def init(self) -> None:
        """Start from a root, as an enrolment does."""
        root = self._options.trusted_root.read_bytes()
        check_root(root)
        durable_files.make_directory(self._state)
        durable_files.write_file(self._state / "root", root)
        self._show()

    async def refresh(self, http: HttpsClient) -> None:
        """Refresh, and download what ``--target-name`` says."""
        await trio.to_thread.run_sync(self._refresh, http)

    def _refresh(self, http: HttpsClient) -> None:
        place = RepositoryPlace(
            self._options.metadata_url.rstrip("/"), (self._options.target_base_url or "").rstrip("/"), self._root()
        )
        try:
            with storage_errors(self._directory), translated_errors(place.metadata_url):
                session = TufSession.online(self._files, place, http, SystemClock().now())
                session.refresh()
                missing = self._download(session)
                session.accept(drop_unused=True)
        finally:
            self._show()
        if missing is not None:
            raise missing

    def _download(self, session: TufSession) -> DocumentError | None:
        """Download targets until one cannot be had, which is no fault of the metadata: return why."""
        for name in self._options.target_name or ():
            try:
                data = session.get(name, MAX_TARGET_BYTES)
            except DocumentError as error:
                return error
            (self._options.target_dir / quote(name, "")).write_bytes(data)
        return None

    def _root(self) -> bytes:
        try:
            root: bytes = (self._state / "root").read_bytes()
        except FileNotFoundError:
            raise TrustError("malformed", "There is no trusted root: init has refused it.") from None
        return root

    def _show(self) -> None:
        """Put the metadata in force where the suite looks for it: ``ROLE.json``, and nothing else of that kind."""
        verified, accepted = self._files.load()
        shown = {} if accepted is None else dict(accepted.roles)
        shown |= {
            "root": newest_root(verified, self._root()),
            "timestamp": verified.timestamp,
            "snapshot": verified.snapshot,
        }
        for old in self._directory.glob("*.json"):
            old.unlink()
        for role, data in shown.items():
            if data:
                (self._directory / f"{quote(role, '')}.json").write_bytes(data)


async def _over_http(client: Client) -> None:
    async with HttpsClient(ssl.create_default_context()) as http:
        await client.refresh(http)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name", action="append")
    parser.add_argument("--target-dir", type=Path)
    parser.add_argument("--target-base-url")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    options = parser.parse_args(arguments)
    client = Client(options)
    try:
        if options.command == "init":
            client.init()
        else:
            trio.run(_over_http, client)
    except (UserError, DocumentError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
