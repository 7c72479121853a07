from bench.fleet_size.identities import Pc
from bench.fleet_size.speech import (
    LivePatch,
    changed,
    first_reports,
    first_serials,
    has_everything,
    hello,
    hello_for_pieces,
)
from p2pdist.shared.wire.channels import decode_from_endpoint, decode_hello
from p2pdist.shared.wire.data_messages import DataHello
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import ControlHello, Holdings, Report

PATCHES = [LivePatch(f"p{k}", "1", f"{k:08x}" * 8, 3) for k in range(50)]


def test_the_second_connection_is_of_the_run_that_the_first_one_named() -> None:
    first = hello(Pc(7, "a" * 26, "127.0.48.1", 20_000))
    control, pieces = decode_hello(first), decode_hello(hello_for_pieces(first))
    assert isinstance(control, ControlHello)
    assert isinstance(pieces, DataHello)
    assert (control.hostname, control.instance) == ("pc-00007", pieces.instance)


def test_a_pc_says_in_one_message_what_it_has_and_reports_on_it() -> None:
    messages = list(map(decode_from_endpoint, [*has_everything(PATCHES), *first_reports(PATCHES, 7)]))
    (held,) = [message for message in messages if isinstance(message, Holdings)]
    reports = [message for message in messages if isinstance(message, Report)]
    assert held.torrents == b"".join(sorted(bytes.fromhex(patch.torrent)[:HELD_BYTES] for patch in PATCHES))
    assert [len(report.patches) for report in reports] == [40, 10]
    assert [(report.serial, report.connection) for report in reports] == [(1, 7), (2, 7)]
    assert first_serials(PATCHES) == 2


def test_a_report_says_when_it_was_sent() -> None:
    report = decode_from_endpoint(changed(PATCHES[0], 17_000_000_000_000, 3, 7))
    assert isinstance(report, Report)
    assert report.patches[0].bytes_from_origin == 17_000_000_000_000
    assert (report.serial, report.connection) == (3, 7)
