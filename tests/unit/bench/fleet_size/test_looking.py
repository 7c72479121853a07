from bench.fleet_size.looking import late
from seed_server.line.lateness import Lateness


def line(steps: dict[float, int]) -> str:
    """Return what the server's log says of steps that were so many seconds late."""
    counted = Lateness()
    for seconds, count in steps.items():
        for _ in range(count):
            counted.count(seconds)
    told = counted.take()
    assert told is not None
    worst = f"{1e3 * told.worst_seconds:.1f} ms"
    quoted = f'"{told.classes}"' if " " in told.classes else told.classes
    return (
        f'[debug] event="how late the controllers were" steps={told.steps} p99="0" worst="{worst}" classes={quoted}\n'
    )


def test_what_the_server_told_counts_together() -> None:
    """One bad window of ten seconds is not the lateness of ten minutes."""
    log = line({0.001: 600}) + '[debug] event="other" steps=1 p99="99 ms"\n' + line({0.001: 393, 0.5: 7})
    found = late(log)
    assert (found["steps"], found["worst_seconds"]) == (1_000, 0.5)
    assert 0.001 <= found["p99_seconds"] < 0.0011
    found = late(log + line({0.05: 10}))
    assert 0.05 <= found["p99_seconds"] < 0.055
    assert late("nothing of it") == {}
