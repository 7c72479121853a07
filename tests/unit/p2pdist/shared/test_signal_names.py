"""`p2pdist.shared.signal_names`: what people read of a signal."""

from p2pdist.shared.signal_names import signal_name


def test_a_signal_has_its_name_or_its_number() -> None:
    assert (signal_name(9), signal_name(50)) == ("SIGKILL", "signal 50")
