"""Several pages become one that a scraper takes."""

from prometheus_client.parser import text_string_to_metric_families

from proa.core.model.names import WorkloadId
from proa.core.sidecar.standard_metrics import Facts, Own
from proa.node.metrics import Page, merge, own_metrics, read_pages, render, scraped

A, B = WorkloadId("default", "a"), WorkloadId("default", "b")
PAGE = """\
# TYPE envoy_server_live gauge
envoy_server_live{} 1

# TYPE envoy_http_rq counter
envoy_http_rq{prefix="x",code="2xx"} 3
# TYPE envoy_time histogram
envoy_time_bucket{le="0.5"} 1
envoy_time_sum 2
"""


def test_series_stand_together_with_their_workloads() -> None:
    text = merge({B: PAGE, A: PAGE})
    assert text.count("# TYPE envoy_server_live gauge") == 1
    assert 'envoy_server_live{namespace="default",workload="a"} 1' in text
    assert 'envoy_http_rq{namespace="default",workload="b",prefix="x",code="2xx"} 3' in text
    assert 'envoy_time_sum{namespace="default",workload="a"} 2' in text


def test_the_page_can_be_read() -> None:
    families = {
        each.name: each
        for each in text_string_to_metric_families(merge({A: PAGE, B: PAGE}) + own_metrics(2, True))
    }
    assert len(families["envoy_server_live"].samples) == 2
    assert families["proa_node_workloads"].samples[0].value == 2


def test_workloads_without_an_envoy_are_passed_over() -> None:
    assert merge({A: "", B: ""}) == ""


ROW = (
    "client;200;-;;outbound|80||b.default.svc.cluster.local;default/b;spiffe://cluster.local/ns/default/sa/b"
)


def test_one_sidecar_without_a_page_does_not_spoil_the_others() -> None:
    text = PAGE + f'# TYPE envoy_istio_requests_total counter\nenvoy_istio_requests_total{{row="{ROW}"}} 7\n'
    pages = read_pages(
        [Page(own=Own(id=A, principal="p"), text=text), Page(own=Own(id=B, principal="q"), text=None)]
    )
    page = render(pages, Facts()) + scraped({A: True, B: False})
    families = {each.name: each for each in text_string_to_metric_families(page)}
    (requests,) = families["istio_requests"].samples
    assert (requests.value, requests.labels["source_workload"]) == (7, "a")
    assert {each.labels["workload"]: each.value for each in families["proa_sidecar_scraped"].samples} == {
        "a": 1,
        "b": 0,
    }
    assert "envoy_istio" not in page
    assert 'envoy_server_live{namespace="default",workload="a"} 1' in page
