"""`p2pdist.daemon.fact_news`: each connection hears the facts once, and each change, where the server takes them."""

from p2pdist.daemon.fact_news import FactNews
from p2pdist.shared.manifest.facts import Facts, FactValue
from p2pdist.shared.wire.messages import FactsChanged
from tests.helpers.daemon_states import made_up_state


def test_each_connection_hears_them_once_and_then_what_changes() -> None:
    state = made_up_state()
    values: dict[str, FactValue] = {"os.family": "debian", "battery_percent": 80}
    news = FactNews(state, lambda: Facts(values))
    assert news.news() == [], "a server of an older release knows no such message"
    state.takes_facts, state.welcomes = True, 1
    assert news.news() == [FactsChanged(values={"os.family": "debian"})]
    values["battery_percent"] = 79
    assert news.news() == [], "by that no ring chooses"
    values["os.language"] = "ja-jp"
    assert news.news() == [FactsChanged(values={"os.family": "debian", "os.language": "ja-jp"})]
    state.welcomes += 1
    assert len(news.news()) == 1
    assert news.news() == []
