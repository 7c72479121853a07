from bench.fleet_size.looking import late

LOG = """\
2026-11-28 [debug] event="how late the controllers were" steps=600 p99="1.5 ms" worst="9.0 ms"
2026-11-28 [debug] event="other" steps=1 p99="99 ms"
2026-11-28 [debug] event="how late the controllers were" steps=400 p99="2.5 ms" worst="7.0 ms"
"""


def test_the_worst_of_what_the_server_told_counts() -> None:
    assert late(LOG) == {"steps": 1_000, "p99_seconds": 0.0025, "worst_seconds": 0.009}
    assert late("nothing of it") == {}
