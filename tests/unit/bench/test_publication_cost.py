from bench.lab.packet_count import Connection
from bench.publication_cost import CONTROL, DATA, WEB, Carried, by_cause, control_connections

WEB_PORT, ORIGIN_PORT = 7420, 7421


def connection(pc: str, pc_port: int, server_port: int, *, down: int = 100, up: int = 50) -> Connection:
    return Connection(pc, pc_port, server_port, down_bytes=down, up_bytes=up, down_packets=2, up_packets=1)


def test_each_pcs_first_connection_to_the_origin_port_is_control():
    seen = [
        connection("a", 1, WEB_PORT),
        connection("a", 2, ORIGIN_PORT),
        connection("b", 9, ORIGIN_PORT),
        connection("a", 3, ORIGIN_PORT),
    ]
    assert control_connections(seen, ORIGIN_PORT) == {("a", 2), ("b", 9)}


def test_bytes_are_summed_by_cause_and_silent_connections_left_out():
    silent = Connection("c", 7, ORIGIN_PORT)
    seen = [
        connection("a", 1, WEB_PORT, down=1_000),
        connection("a", 2, ORIGIN_PORT),
        connection("b", 9, ORIGIN_PORT, up=7),
        connection("a", 3, ORIGIN_PORT, down=10_000),
        silent,
    ]
    assert by_cause(seen, WEB_PORT, {("a", 2), ("b", 9), ("c", 7)}) == {
        WEB: Carried(1, 1_000, 50, 3),
        CONTROL: Carried(2, 200, 57, 6),
        DATA: Carried(1, 10_000, 50, 3),
    }
