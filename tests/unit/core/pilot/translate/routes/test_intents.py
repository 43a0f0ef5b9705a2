from proa.core.pilot.translate.routes.intents import FieldMatch, RequestMatch, TextMatch


def test_what_takes_every_request() -> None:
    assert RequestMatch().takes_all
    assert RequestMatch(stat_prefix="a").takes_all
    assert not RequestMatch(path=TextMatch(kind="prefix", value="/")).takes_all
    assert not RequestMatch(headers=(FieldMatch(name="a", text=TextMatch(kind="present")),)).takes_all
