"""Questions to requests."""

import pytest
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.workload import GatewayPort, Workload
from proa.core.pilot.explain.asking import BadQuestion, ask
from proa.core.pilot.explain.mesh import Known, Place
from proa.core.pilot.explain.story import Question
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.simulate import RAW, Connect, Explicit, Gateway, Own

PAGE, EDGE, BARE = (WorkloadId("default", name) for name in ("page", "edge", "bare"))
KNOWN = Known(
    workloads=Map(
        {
            PAGE: Workload(id=PAGE, kind="sidecar", node="", account="page", outbound_port=15001),
            BARE: Workload(
                id=BARE,
                kind="sidecar",
                node="",
                account="bare",
                gateway_ports=(
                    GatewayPort(port=9080, bound_port=9080, address="127.0.0.1"),
                    GatewayPort(port=81, bound_port=81, address="127.0.0.1", fault="taken"),
                ),
            ),
            EDGE: Workload(
                id=EDGE,
                kind="gateway",
                node="",
                account="edge",
                gateway_ports=(GatewayPort(port=80, bound_port=20080),),
            ),
        }
    ),
    settings=MeshSettings(),
    proxy=lambda workload: None,
    policies=lambda workload: AuthorizationView(),
    place=lambda ref, rule: Place(),
    why_unknown=lambda workload, host: "",
    sources=lambda ref: (),
    notes=lambda ref: (),
)


def test_by_url() -> None:
    asked = ask(KNOWN, Question(method="post", url="http://u:p@reviews:9080?a=1", source=PAGE))
    assert (asked.request.method, asked.request.authority, asked.request.path) == (
        "POST",
        "reviews:9080",
        "/?a=1",
    )
    assert asked.via == Explicit()
    assert asked.words == "POST http://u:p@reviews:9080?a=1 from default/page"


def test_tls_and_streams_take_a_tunnel() -> None:
    secure = ask(KNOWN, Question(url="https://shop.example.com/", source=PAGE, sni="other")).via
    assert isinstance(secure, Connect)
    assert (secure.authority, secure.carries.sni) == ("shop.example.com:443", "other")
    stream = ask(KNOWN, Question(tcp="redis:6379", source=PAGE)).via
    assert stream == Connect(authority="redis:6379", carries=RAW)


@pytest.mark.parametrize("port", ["", ":80", ":20080"])
def test_a_gateway_by_its_port_or_the_one_bound(port: str) -> None:
    assert ask(KNOWN, Question(url=f"http://shop{port}/", gateway=EDGE)).via == Gateway(port=80)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(url="http://a/"), "whose request"),
        (Question(url="http://a/", source=WorkloadId("x", "y")), "no workload x/y"),
        (Question(url="http://a/", source=EDGE), "name it by --via"),
        (Question(url="http://a/", source=BARE), "without capture"),
        (Question(url="http://a/", gateway=PAGE), "is no gateway"),
        (Question(tcp="redis", source=PAGE), "not HOST:PORT"),
        (Question(url="gopher://a/", source=PAGE), "no URL"),
    ],
)
def test_bad_questions(question: Question, said: str) -> None:
    with pytest.raises(BadQuestion, match=said):
        ask(KNOWN, question)


def test_a_listener_of_the_sidecars_own_is_dialled_by_its_address() -> None:
    url = "http://localhost:9080/a"
    asked = ask(KNOWN, Question(url=url, source=BARE, headers=(("Host", "reviews"), ("x", "y"))))
    assert asked.via == Own(address="127.0.0.1", port=9080)
    assert (asked.request.authority, asked.request.headers) == ("reviews", (("x", "y"),))
    with pytest.raises(BadQuestion):
        ask(KNOWN, Question(url="http://127.0.0.1:81/", source=BARE))
