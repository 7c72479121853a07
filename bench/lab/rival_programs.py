"""What the rivals need in the lab and do not bring themselves: a tracker, and a plain client of libtorrent.

    python -m bench.lab.rival_programs tracker ADDRESS
    python -m bench.lab.rival_programs torrent ADDRESS TORRENT DIRECTORY TARGET_DELAY_MS DONE
    python -m bench.lab.rival_programs make-torrent FILE TORRENT TRACKER

A client that has its file writes DONE and goes on sharing until SIGTERM.
"""

import signal
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import libtorrent

TRACKER_PORT = 6969
TORRENT_PORT = 6881
ANNOUNCE_SECONDS = 10  # shorter than on the Internet, so that neighbours soon find one another
PIECE_BYTES = 256 << 10


class Tracker(BaseHTTPRequestHandler):
    """Tells every client of all others; the lab has one torrent."""

    peers: dict[tuple[str, int], bytes] = {}  # noqa: RUF012 - shared by the whole process

    def do_GET(self) -> None:
        """Answer an announcement."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        address, port = self.client_address[0], int(query.get("port", ["0"])[0])
        others = b"".join(packed for peer, packed in self.peers.items() if peer != (address, port))
        if port:
            self.peers[address, port] = bytes(map(int, address.split("."))) + port.to_bytes(2, "big")
        interval = f"d8:intervali{ANNOUNCE_SECONDS}e12:min intervali{ANNOUNCE_SECONDS}e5:peers{len(others)}:"
        body = interval.encode() + others + b"e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def tracker(address: str) -> None:
    """Serve until SIGTERM."""
    HTTPServer((address, TRACKER_PORT), Tracker).serve_forever()


def torrent(address: str, torrent_file: str, directory: str, target_delay_ms: str, done: str) -> None:
    """Download and share with libtorrent's defaults, over uTP only; target delay 0 stands for its own default."""
    settings = {
        "listen_interfaces": f"{address}:{TORRENT_PORT}",
        "enable_dht": False,  # there is no Internet
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_tcp": False,
        "enable_incoming_tcp": False,
        "alert_mask": libtorrent.alert.category_t.status_notification,
    }
    if int(target_delay_ms):
        settings["utp_target_delay"] = int(target_delay_ms)
    session = libtorrent.session(settings)  # type: ignore[call-overload] # its stubs name every setting
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent_file)
    parameters.save_path = directory
    session.add_torrent(parameters)
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, libtorrent.torrent_finished_alert):
                Path(done).touch()


def make_torrent(file: str, torrent_file: str, announce: str) -> None:
    """Write a version 1 torrent, which all clients read."""
    files = libtorrent.file_storage()
    libtorrent.add_files(files, file)
    creator = libtorrent.create_torrent(files, PIECE_BYTES, libtorrent.create_torrent.v1_only)
    creator.add_tracker(announce)
    libtorrent.set_piece_hashes(creator, str(Path(file).parent))  # type: ignore[operator,unused-ignore]
    Path(torrent_file).write_bytes(libtorrent.bencode(creator.generate()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    match sys.argv[1:]:
        case ["tracker", address]:
            tracker(address)
        case ["torrent", address, torrent_file, directory, target_delay_ms, done]:
            torrent(address, torrent_file, directory, target_delay_ms, done)
        case ["make-torrent", file, torrent_file, announce]:
            make_torrent(file, torrent_file, announce)
        case _:
            sys.exit(__doc__)
