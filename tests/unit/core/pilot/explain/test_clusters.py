"""What is in force on a cluster, and who gets nothing."""

from proa.core.pilot.explain.clusters import transport_words
from proa.core.pilot.simulate import Mutual, Plain, ServerTls
from tests.unit.core.pilot.explain.conftest import Explain
from tests.unit.core.pilot.explain.test_hops import steps

LIMITS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a-limits}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 7}, http: {http1MaxPendingRequests: 3}}
    outlierDetection: {consecutive5xxErrors: 4, baseEjectionTime: 20s}
    loadBalancer: {simple: ROUND_ROBIN}
"""


def test_limits_and_balancing(explain: Explain) -> None:
    (cluster,) = steps(explain("http://reviews:9080/", LIMITS), "cluster")
    assert cluster.details == (
        "round robin, connects within 10 s",
        "at most 7 connections, 3 waiting requests; what is more gets 503 (UO)",
        "ejects after 4 errors in a row for 20 s",
        "speaks mesh TLS or plain text with them",
    )


def test_endpoints(explain: Explain) -> None:
    (endpoints,) = steps(explain("http://reviews:9080/"), "endpoints")
    assert endpoints.text == "2 of 2 healthy"
    assert endpoints.details == ("10.0.0.1:9080  healthy", "10.0.0.2:9080  healthy")


def test_transports() -> None:
    assert transport_words(Mutual(sni="", accounts=())) == "mesh TLS"
    assert transport_words(Plain()) == "plain text"
    assert transport_words(ServerTls(sni="a.b", names=())) == "TLS for a.b"
