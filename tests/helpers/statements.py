"""PCs with certificates of real authorities, and statements that they sign."""

import base64
import json
from pathlib import Path
from typing import Any

from p2pdist.identity import store
from p2pdist.identity.store import Identity
from seed_server.enrolment.certificate_authority import CertificateAuthority


class Company:
    """The two authorities of a seed server."""

    def __init__(self, directory: Path, now: float) -> None:
        directory.mkdir(exist_ok=True)
        self.authority = CertificateAuthority.create(directory, "hq", now)

    @property
    def control_ca(self) -> str:
        """The control CA's certificate."""
        return self.authority.control_ca_pem

    def pc(self, now: float) -> Identity:
        """Return a PC that was enrolled or renewed at ``now``."""
        return pc_of(self.authority, now)


def pc_of(authority: CertificateAuthority, now: float) -> Identity:
    """Return a PC with certificates of ``authority``, issued at ``now``."""
    key = store.new_key()
    endpoint_id, given = authority.issue_endpoint_certificates(store.certificate_request(key), now)
    return Identity(
        home=Path("/nowhere"),
        endpoint_id=endpoint_id,
        server_address="127.0.65.1",
        web_port=8443,
        origin_port=7690,
        server_name="hq",
        control_certificate=given.control_certificate,
        swarm_certificate=given.swarm_certificate,
        control_ca=given.control_ca,
        swarm_ca=given.swarm_ca,
        key=key,
        tuf_root=b"{}",
        not_before=now,
        not_after=now + 86_400,
    )


def statement(identity: Identity, at: float, **changes: Any) -> dict[str, Any]:
    """Return what a PC states of itself."""
    said = {
        "format": 1, "endpoint_id": identity.endpoint_id, "hostname": "pc-köln", "at": int(at), "compliant": True,
        "problem": "", "patches": [], "nonce": "", "audience": "",
    }  # fmt: skip
    return said | changes


def packed(value: dict[str, Any]) -> str:
    """Return a part of a JWS."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unpacked(part: str) -> dict[str, Any]:
    """Return what a part of a JWS holds."""
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value
