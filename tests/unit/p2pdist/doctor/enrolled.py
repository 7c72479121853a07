"""An enrolled PC for the tests of the doctor."""

from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from p2pdist.identity import store
from p2pdist.identity.store import Identity


def enrolled(
    home: Path,
    authority: Any,
    *,
    address: str = "127.0.0.1",
    web_port: int = 1,
    origin_port: int = 1,
    start: datetime | None = None,
) -> Identity:
    """Enrol the PC in ``home`` with a server there, whose certificates are the authority's."""
    key = store.load_or_create_key(home)
    public = serialization.load_pem_private_key(key.encode(), None).public_key()
    endpoint_id = store.endpoint_id_of_key(key)
    control, swarm = (authority.leaf(public, name, start=start) for name in (endpoint_id, "*"))
    not_before, not_after = store.validity(control, swarm)
    identity = Identity(
        home=home, endpoint_id=endpoint_id, server_address=address, web_port=web_port, origin_port=origin_port,
        server_name="hq", control_certificate=control, swarm_certificate=swarm, control_ca=authority.pem,
        swarm_ca=authority.pem, key=key, tuf_root=b"{}", not_before=not_before, not_after=not_after,
    )  # fmt: skip
    store.save_identity(identity)
    return identity
