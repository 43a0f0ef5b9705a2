"""What was built once is not built again."""

import msgspec

from proa.control_plane.memo import Memo


class Intent(msgspec.Struct, frozen=True):
    name: str


def build(intent: Intent) -> list[str]:
    return [intent.name]


def build_other(intent: Intent) -> list[str]:
    return [intent.name, "other"]


def test_equal_intents_share_what_was_built() -> None:
    memo = Memo()
    assert memo.get(build, Intent("a")) is memo.get(build, Intent("a"))
    assert memo.built == {"build": 1}


def test_builders_do_not_share() -> None:
    memo = Memo()
    assert memo.get(build, Intent("a")) != memo.get(build_other, Intent("a"))


def test_what_is_asked_for_stays_and_the_rest_falls_out() -> None:
    memo = Memo(size=2)
    for name in ("a", "b", "a", "c", "a", "d", "a", "e", "a"):
        memo.get(build, Intent(name))
    assert memo.built["build"] == 5
    memo.get(build, Intent("b"))
    assert memo.built["build"] == 6
