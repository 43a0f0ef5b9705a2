from proa.core.config import Config, Json
from proa.core.config.analyze.delegates import check_delegates
from proa.testing.builders import config
from tests.unit.core.config.analyze.finding import find, routes, to


def delegate(name: str, **match: Json) -> Config:
    narrowed: dict[str, Json] = {"match": [match]} if match else {}
    return config("VirtualService", name, {"http": [{**narrowed, **to("a")}]})


def handing_on(name: str, **match: Json) -> dict[str, Json]:
    narrowed: dict[str, Json] = {"match": [match]} if match else {}
    return {**narrowed, "delegate": {"name": name}}


def test_who_cannot_take_what_is_handed_on() -> None:
    root = routes("root", ["x"], handing_on("gone"), handing_on("root"))
    assert find(check_delegates, [root]) == [
        "delegate-missing root spec.http[0].delegate.name",
        "delegate-missing root spec.http[1].delegate.name",
    ]


def test_who_says_more_than_it_was_handed() -> None:
    root = routes("root", ["x"], handing_on("inner", uri={"prefix": "/a"}))
    assert find(check_delegates, [root, delegate("inner", uri={"prefix": "/a/b"})]) == []
    assert find(check_delegates, [root, delegate("inner", uri={"prefix": "/b"})]) == [
        "delegate-conflict inner spec.http[0]"
    ]


def test_what_nobody_hands_on_to() -> None:
    assert find(check_delegates, [delegate("inner")]) == ["delegate-unused inner spec"]
