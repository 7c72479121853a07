"""libtorrent's settings on an endpoint, as plain values with their reasons; it is not imported here. Pure."""

import ipaddress
from typing import Any

MAX_CONNECTIONS = 320  # of all torrents: the peer book opens fewer than half; each needs memory for TLS and buffers
PEER_CONNECT_SECONDS = 5  # on a LAN an answer takes milliseconds; a PC that is switched off gives none
HANDSHAKE_SECONDS = 10  # TLS and BitTorrent, on a busy PC
RECONNECT_SECONDS = 3  # before a second attempt; libtorrent itself repeats some refused ones at this pace
LEAST_RATE = 10  # bytes per second: libtorrent's least limit
MOVING_TICK_MILLISECONDS, IDLE_TICK_MILLISECONDS = 10, 100
IDLE_SECONDS = 30  # for two peers that need nothing from each other
# of a neighbour's socket: 1 Gbit/s within half a millisecond; by itself the kernel takes megabytes, with which a few
# neighbours fill the queue of a slow card, however slowly we read
RECEIVE_BUFFER_BYTES = 64 << 10
SEND_AHEAD_PERCENT = 10  # of a second at a neighbour's rate: what it is told of new pieces waits behind as much
REQUESTS_AHEAD_SECONDS = 1  # of requests at a neighbour: what waits there cannot be had from another one
REQUEST_SECONDS = 10  # a block that a neighbour has not sent for this long is requested from another one
ALERT_QUEUE_CAP = 10_000  # one alert per piece: some seconds of a fast LAN while the event loop is blocked

# RFC 7919, appendix A.1: ffdhe2048. Fixed, because generating one takes minutes, and EC certificates do not use it.
DH_PARAMETERS_PEM = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""

_TLS_ONLY_SUFFIX = "s"  # libtorrent's mark for a listen socket that accepts only TLS
_PLAINTEXT_INSIDE_TLS = 2  # pe_disabled: BitTorrent's own obfuscation would only cost time inside TLS
_WRITE_THROUGH = 3  # a verified piece is written at once: a killed process loses only what was in flight

TORRENT_LIMITS: dict[str, Any] = {
    "max_pieces": 65_536,  # wire.messages.MAX_PIECES
    "max_decode_depth": 12,  # a single-file v2 torrent needs 6
    "max_decode_tokens": 2_000,  # one long string holds all hashes
}


def serving_settings(serve: bool) -> dict[str, Any]:
    """Return the settings to serve every neighbour, or none: without unchoke slots, all are choked within a second."""
    return {"unchoke_slots_limit": -1 if serve else 0}


def tick_settings(*, moving: bool) -> dict[str, Any]:
    """Return how often libtorrent ticks: one tick is the size of a burst within limits, and costs a wake-up."""
    return {"tick_interval": MOVING_TICK_MILLISECONDS if moving else IDLE_TICK_MILLISECONDS}


def session_settings(listen_address: str, listen_port: int) -> dict[str, Any]:
    """Return libtorrent's settings for an endpoint that listens on one address; port 0 means any free one."""
    address = ipaddress.ip_address(listen_address)
    host = f"[{address}]" if address.version == 6 else str(address)
    return {
        "user_agent": "p2pdist",
        "listen_interfaces": f"{host}:{listen_port}{_TLS_ONLY_SUFFIX}",
        "outgoing_interfaces": "" if address.is_unspecified else str(address),
        "listen_system_port_fallback": False,  # a port that is taken is an error, not a reason to take another one
        "max_retry_port_bind": 0,
        "enable_ip_notifier": False,  # it would reopen the listener on another free port
        # only the peer book names neighbours
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # TCP only: uTP yields to everything on the LAN, costs more processor time, and would be a second way in
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "mixed_mode_algorithm": 0,  # any other would throttle TCP
        **tick_settings(moving=False),
        "in_enc_policy": _PLAINTEXT_INSIDE_TLS,
        "out_enc_policy": _PLAINTEXT_INSIDE_TLS,
        # connections: the peer book decides when; libtorrent gives up after one failure
        "connections_limit": MAX_CONNECTIONS,
        "connection_speed": 100,
        "smooth_connects": False,
        "max_failcount": 1,
        "min_reconnect_time": RECONNECT_SECONDS,
        "peer_connect_timeout": PEER_CONNECT_SECONDS,
        "handshake_timeout": HANDSHAKE_SECONDS,
        "request_timeout": REQUEST_SECONDS,
        "piece_timeout": REQUEST_SECONDS,
        "allow_multiple_connections_per_ip": False,
        # when a neighbour says that it has its last piece, libtorrent would close the connection before it can ask
        # for that piece …
        "close_redundant_connections": False,
        "inactivity_timeout": IDLE_SECONDS,  # … so connections that neither side needs end when others need the room
        **serving_settings(serve=True),
        "unchoke_interval": 1,  # seconds: neighbours learn this soon that an endpoint refuses to serve, or serves again
        "allowed_fast_set_size": 0,  # a choked peer gets nothing, not even its first pieces
        "max_peerlist_size": 500,
        "auto_sequential": False,  # rarest first is what makes neighbours useful to each other
        # memory and threads of an office PC
        "aio_threads": 2,
        "hashing_threads": 1,
        "file_pool_size": 16,
        "checking_mem_usage": 64,  # blocks of 16 KiB
        "max_queued_disk_bytes": 16 << 20,
        "disk_io_write_mode": _WRITE_THROUGH,
        "send_buffer_watermark": 256 << 10,
        "send_buffer_watermark_factor": SEND_AHEAD_PERCENT,
        "recv_socket_buffer_size": RECEIVE_BUFFER_BYTES,
        "request_queue_time": REQUESTS_AHEAD_SECONDS,
        "max_peer_recv_buffer_size": 1 << 20,
        "listen_queue_size": 32,
        "alert_queue_size": ALERT_QUEUE_CAP,
    }
