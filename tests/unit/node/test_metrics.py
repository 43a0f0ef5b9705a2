"""Several pages become one that a scraper takes."""

from prometheus_client.parser import text_string_to_metric_families

from proa.core.model.names import WorkloadId
from proa.node.metrics import merge, own_metrics

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
