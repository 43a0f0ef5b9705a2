"""Drawn for 100 columns, names whole."""

from proa.core.pilot.explain.page import WIDTH, draw
from proa.core.pilot.explain.story import Cause, Explanation, Hop, Step, Verdict
from tests.unit.core.pilot.explain.conftest import Explain
from tests.unit.core.pilot.explain.test_hops import RULES


def text(explanation: Explanation) -> str:
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in draw(explanation))


def test_everything_fits() -> None:
    long = "word " * 60
    step = Step(kind="route", text=long, details=(long,), causes=(Cause(object=long),), standing=long)
    verdict = Verdict(end="answered", text=long, status=503, flags=("UH",), share=50.0, advice=(long,))
    hop = Hop(proxy="default/a", role="client", steps=(step,))
    told = text(Explanation(request=long, hops=(hop,), verdicts=(verdict, verdict), remarks=(long,)))
    assert max(map(len, told.splitlines())) <= WIDTH
    assert told.count("word") == 60 * 10


def test_as_a_whole(explain: Explain) -> None:
    lines = text(explain("http://reviews:9080/told", RULES)).splitlines()
    assert lines == [
        "GET http://reviews:9080/told from default/page",
        "",
        "default/page  the caller's sidecar",
        "  listener      virtualOutbound",
        "  virtual host  reviews.default.svc.cluster.local:9080 (routes http_proxy)",
        "  route         (unnamed)",
        "                - answers 418",
        "                by VirtualService/default/reviews http[4] (rules.yaml:17)",
        "",
        "=> 418: the proxy answers, as the rule says",
    ]


def test_what_fails_is_marked(explain: Explain) -> None:
    styles = {piece.style for line in draw(explain("http://reviews:9080/other", RULES)) for piece in line}
    assert {"title", "dim", "bad"} <= styles
    assert "good" not in styles
