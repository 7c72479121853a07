"""What libtorrent's TLS may do, by the one way that reaches it: the configuration file of its own OpenSSL.

Without this, its listener hands out session tickets, and who resumes a session is not asked for a certificate again:
one that was denied, or whose certificate has expired, could go on for ever. libtorrent offers TLS 1.2 too; no suite of
it is left here, so 1.3 alone remains.
"""

import os
import ssl
from typing import Any

import libtorrent as lt

from p2pdist.shared.named_memory import named_memory

CONFIGURATION = """\
openssl_conf = endpoint
[endpoint]
ssl_conf = tls
[tls]
system_default = no_resumption
[no_resumption]
NumTickets = 0
Options = -SessionTicket
CipherString = ECDHE-RSA-AES256-GCM-SHA384
"""
# the one suite of TLS 1.2 needs an RSA certificate, which nobody in the swarm has

_HASHES_SOMETHING = b"d4:infod6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:" + bytes(20) + b"ee"

_VARIABLE = "OPENSSL_CONF"
_load: Any = lt.load_torrent_buffer  # the stubs of the bindings lack this overload


def apply_tls_policy() -> None:
    """Make libtorrent's OpenSSL read `CONFIGURATION`. It reads a file once, when it is first used; call before that."""
    ssl.create_default_context()  # Python's own OpenSSL has read its configuration by now, and keeps it
    before = os.environ.get(_VARIABLE)
    with named_memory(CONFIGURATION.encode(), prefix="p2pdist-tls-") as name:
        os.environ[_VARIABLE] = name
        try:
            _load(_HASHES_SOMETHING)
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
