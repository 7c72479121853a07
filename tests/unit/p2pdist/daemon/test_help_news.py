"""`p2pdist.daemon.help_news`: each change is told once, and to each connection."""

from p2pdist.daemon.help_news import HelpNews, How
from p2pdist.shared.wire.messages import Helping


def test_each_change_is_told_once_and_nothing_where_it_helps_in_full() -> None:
    how: list[How] = ["full"]
    news = HelpNews(lambda: how[0])
    assert news.news() == []
    for now in ("less", "none", "full"):
        how[0] = now
        assert news.news() == [Helping(how=now)]
        assert news.news() == []


def test_a_new_connection_is_told_again_unless_it_helps_in_full() -> None:
    how: list[How] = ["none"]
    news = HelpNews(lambda: how[0])
    assert news.news() == [Helping(how="none")]
    news.forget()
    assert news.news() == [Helping(how="none")]
    how[0] = "full"
    news.forget()
    assert news.news() == []
