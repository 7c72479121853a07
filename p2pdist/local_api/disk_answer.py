"""What `p2pdist status` says of this PC's disk. Pure."""

import msgspec

from p2pdist.shared.json_units import Bytes


class DiskStatus(msgspec.Struct, frozen=True):
    """What payloads take of the disk: each file once, however many names it has."""

    quota_bytes: Bytes
    """What they may take, by config.toml and what is free. Since 0.3."""
    used_bytes: Bytes
    """What they take. Since 0.3."""
    to_install_bytes: Bytes
    """Of that: to be installed here, on the way, or the way back of what is installed. Since 0.3."""
    shared_bytes: Bytes
    """Kept for neighbours. Since 0.3."""
    kept_bytes: Bytes
    """Earlier versions, to go back to. Since 0.3."""
    other_bytes: Bytes
    """News and parcels that are swapped with neighbours, and what is removed soon. Since 0.3."""
    free_bytes: Bytes
    """Free on that disk. Since 0.3."""
