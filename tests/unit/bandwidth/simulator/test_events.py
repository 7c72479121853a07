from bandwidth.simulator.events import Simulator


def test_calls_come_in_order_of_time_and_then_of_adding():
    simulator = Simulator()
    seen: list[str] = []
    simulator.at(2.0, seen.append, "late")
    simulator.at(1.0, seen.append, "first")
    simulator.at(1.0, seen.append, "second")
    simulator.run(1.5)
    assert seen == ["first", "second"]
    assert simulator.now == 1.5
    simulator.run(2.0)
    assert seen[-1] == "late"


def test_a_call_in_the_past_runs_now_and_the_clock_never_goes_back():
    simulator = Simulator()
    seen: list[float] = []
    simulator.run(5.0)
    simulator.at(1.0, lambda _: seen.append(simulator.now))
    simulator.run(6.0)
    assert seen == [5.0]
