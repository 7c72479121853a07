"""`p2pdist.daemon.help_news`: each change is told once, and to each connection."""

from p2pdist.daemon.help_news import HelpNews, How
from p2pdist.shared.wire.messages import Helping
from tests.helpers.daemon_states import made_up_state


def test_each_change_is_told_once_and_nothing_where_it_helps_in_full() -> None:
    how: list[How] = ["full"]
    news = HelpNews(made_up_state(), lambda: how[0])
    assert news.news() == []
    changes: list[How] = ["less", "none", "full"]
    for now in changes:
        how[0] = now
        assert news.news() == [Helping(how=now)]
        assert news.news() == []


def test_a_new_connection_is_told_again_unless_it_helps_in_full() -> None:
    state = made_up_state()
    how: list[How] = ["none"]
    news = HelpNews(state, lambda: how[0])
    assert news.news() == [Helping(how="none")]
    state.welcomes += 1
    assert news.news() == [Helping(how="none")]
    assert news.news() == []
    how[0] = "full"
    state.welcomes += 1
    assert news.news() == [], "it is taken for granted"
    how[0] = "less"
    assert news.news() == [Helping(how="less")]
