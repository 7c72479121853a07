"""Where everything of a seed server lies."""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError

# a constant, as the endpoint's: what a variable of the environment says must not move the home
DEFAULT_SERVER_HOME = Path("/var/lib/seed-server")


@dataclass(frozen=True)
class ServerHome:
    """Where everything of one seed server lies."""

    root: Path

    @property
    def settings(self) -> Path:
        """``server.toml``; it exists once init has completed."""
        return self.root / "server.toml"

    @property
    def sites(self) -> Path:
        """``sites.toml``, the site map."""
        return self.root / "sites.toml"

    @property
    def database(self) -> Path:
        """SQLite state of tokens, endpoints, patches and reports."""
        return self.root / "state.db"

    @property
    def content(self) -> Path:
        """Payloads, named by their SHA-256."""
        return self.root / "content"

    @property
    def coded(self) -> Path:
        """Coded pieces, and the anchors of payloads that they are made by: all can be made again."""
        return self.root / "coded"

    @property
    def archive(self) -> Path:
        """Months of what PCs did that are no longer in the database, a file each."""
        return self.root / "archive"

    @property
    def tuf_metadata(self) -> Path:
        """TUF metadata, as served."""
        return self.root / "tuf" / "metadata"

    @property
    def first_root(self) -> Path:
        """Root version 1 of the TUF metadata, which never changes: its SHA-256 is this server's pin."""
        return self.tuf_metadata / "1.root.json"

    @property
    def tuf_targets(self) -> Path:
        """TUF targets with hash prefixes, as served."""
        return self.root / "tuf" / "targets"

    @property
    def keys(self) -> Path:
        """All private keys."""
        return self.root / "keys"

    @property
    def online_keys(self) -> Path:
        """``rollouts``, ``snapshot``, ``timestamp``, and ``audit``: signed with unattended."""
        return self.keys / "online"

    @property
    def offline_keys(self) -> Path:
        """``root``, ``patches`` and ``profiles``: the operator can take this folder away."""
        return self.keys / "offline"

    @property
    def ca(self) -> Path:
        """Keys and certificates of the control and the swarm CA."""
        return self.keys / "ca"

    @property
    def audit_checkpoint(self) -> Path:
        """The newest checkpoint of the audit log, outside the database that it vouches for."""
        return self.root / "audit-checkpoint"

    @property
    def people_key(self) -> Path:
        """What seals the second factors of accounts."""
        return self.keys / "people.key"

    @property
    def webhooks_key(self) -> Path:
        """What seals the secrets of webhooks."""
        return self.keys / "webhooks.key"

    @property
    def prepared(self) -> Path:
        """Bundles that wait for signatures, named by their ids."""
        return self.root / "prepared"

    @property
    def presented(self) -> Path:
        """Signed files that PCs have handed in, until they are adopted."""
        return self.root / "presented"

    @property
    def restored(self) -> Path:
        """Says that this home was restored from a backup, and how far the server has caught up with its PCs."""
        return self.root / "restored"

    @property
    def moved(self) -> Path:
        """Says that the server of this home runs elsewhere now: nobody serves from here."""
        return self.root / "moved"

    @property
    def repository_lock(self) -> Path:
        """Held for the moment of writing to the repository."""
        return self.root / "repository.lock"

    @property
    def publish_lock(self) -> Path:
        """Held for a whole `publish`."""
        return self.root / "publish.lock"

    @property
    def serve_lock(self) -> Path:
        """Held by the running server."""
        return self.root / "serve.lock"


def check_home(home: ServerHome) -> None:
    """Raise `UserError` (REFUSED) for a home that others may change: they could put their keys in the place of ours.

    A missing home has no such fault, nor has any on Windows, where the mode says nothing.
    """
    try:
        mode = stat.S_IMODE(home.root.stat().st_mode)
    except OSError:
        return
    if os.name != "nt" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(
            f"Other users of this machine can change {home.root} (mode {mode:04o}), so it is not used. Close it with: "
            f"chmod go-w {shlex.quote(str(home.root))}, and look whether anything in it was changed.",
            FaultKind.REFUSED,
        )
