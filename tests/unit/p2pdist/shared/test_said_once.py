"""`p2pdist.shared.said_once`: a cause is news once, and so is that it is gone."""

from p2pdist.shared.said_once import SaidOnce


def test_a_cause_is_news_once_and_so_is_another_one_and_that_there_is_none() -> None:
    said = SaidOnce()
    causes = ["", "full", "full", "no right", "full", "", "", "full"]
    assert [said.is_new(cause) for cause in causes] == [False, True, False, True, True, True, False, True]
    assert said.cause == "full"
