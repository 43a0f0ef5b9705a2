"""What an Envoy counted becomes what Istio's dashboards ask for."""

from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as ParsedSample

from proa.core.model.names import WorkloadId
from proa.core.sidecar.standard_metrics import SECONDS, Exposition, Facts, Own, joined, named, read_page

CALLER = Own(
    id=WorkloadId("default", "caller-v1"),
    principal="spiffe://cluster.local/ns/default/sa/caller",
    labels=Map({"app": "caller", "version": "v1"}),
)
SERVER = Own(
    id=WorkloadId("shop", "web-1"),
    principal="spiffe://cluster.local/ns/shop/sa/web",
    labels=Map({"app": "web"}),
    services=Map({8080: "web.shop.svc.cluster.local"}),
)
FACTS = Facts(
    workloads={
        "shop/web-1": {"app": "web", "version": "v2"},
        "default/caller-v1": {"app": "caller", "version": "v1"},
    },
    hosts={"api.example.com": "outside"},
)
OUT = "client;200;-;;outbound|8080|v1|web.shop.svc.cluster.local;shop/web-1;spiffe://cluster.local/ns/shop/sa/web"
IN = "tls;200;-;;8080;caller-v1.default.workload.cluster.local;spiffe://cluster.local/ns/default/sa/caller"


def page(metric: str, row: str, value: float = 1, more: str = "") -> str:
    return f'envoy_istio_{metric}{{row="{row}"{more}}} {value:g}\n'


def samples(*pages: tuple[Own, str], facts: Facts = FACTS, seconds: bool = False) -> list[ParsedSample]:
    exposition = Exposition(facts, seconds=seconds)
    for own, text in pages:
        exposition.add(own, read_page(text)[0])
    return [each for family in text_string_to_metric_families(exposition.text()) for each in family.samples]


def labels(own: Own, row: str, metric: str = "requests_total") -> dict[str, str]:
    (found,) = samples((own, page(metric, row)))
    return found.labels


def test_both_ends_of_a_call_agree() -> None:
    source, destination = labels(CALLER, OUT), labels(SERVER, IN)
    assert source.pop("reporter") == "source"
    assert destination.pop("reporter") == "destination"
    assert source.pop("connection_security_policy") == "unknown"
    assert destination.pop("connection_security_policy") == "mutual_tls"
    # What the server was told when it started is what the caller hears of it.
    assert source.pop("destination_version") == "v2"
    assert destination.pop("destination_version") == "unknown"
    assert source.pop("destination_canonical_revision") == "v2"
    assert destination.pop("destination_canonical_revision") == "latest"
    assert source == destination
    assert source["source_workload"] == "caller-v1"
    assert source["source_app"] == "caller"
    assert source["destination_service"] == "web.shop.svc.cluster.local"
    assert source["destination_service_name"] == "web"
    assert source["destination_service_namespace"] == "shop"
    assert source["destination_principal"] == "spiffe://cluster.local/ns/shop/sa/web"
    assert source["request_protocol"] == "http"
    assert source["response_code"] == "200"


def test_a_workload_of_another_mesh_is_none_that_we_know() -> None:
    theirs = "spiffe://partner.example/ns/default/sa/caller"
    ours = IN.rpartition(";")[0]
    for row in (f"{ours};{theirs}", f"{ours};{theirs}".replace("cluster.local;", "partner.example;")):
        found = labels(SERVER, row)
        assert (found["source_workload"], found["source_app"]) == ("unknown", "unknown")
        assert found["source_principal"] == theirs


def test_grpc_is_told_by_its_status() -> None:
    found = labels(CALLER, OUT.replace(";200;-;;", ";200;-;14;"))
    assert (found["request_protocol"], found["grpc_response_status"]) == ("grpc", "14")


def test_nobody_known_is_unknown() -> None:
    found = labels(SERVER, "plain;403;-;;8080;;")
    assert found["source_workload"] == found["source_principal"] == found["source_app"] == "unknown"
    assert found["connection_security_policy"] == "none"
    found = labels(CALLER, "client;503;DF;;PassthroughCluster;;")
    assert found["destination_service_name"] == "PassthroughCluster"
    assert found["destination_service"] == "unknown"
    assert found["response_flags"] == "DF"
    assert labels(CALLER, "client;404;NR;;;;")["destination_service_name"] == "unknown"


def test_a_host_outside_is_itself() -> None:
    found = labels(CALLER, "client;200;-;;outbound|443||api.example.com;;")
    assert found["destination_service"] == found["destination_service_name"] == "api.example.com"
    assert found["destination_service_namespace"] == "outside"
    sni = labels(CALLER, "client;;-;;outbound_.443_._.api.example.com;;", "tcp_connections_closed_total")
    assert sni["destination_service"] == "api.example.com"


def test_streams_have_no_codes() -> None:
    found = labels(CALLER, OUT.replace(";200;", ";;"), "tcp_sent_bytes_total")
    assert "response_code" not in found
    assert found["request_protocol"] == "tcp"


def test_a_stream_that_goes_on_inside_is_left_out() -> None:
    inside = 'row="client;;-;;connect_9000;;"'
    assert joined(CALLER, FACTS, inside, is_stream=True) is None
    assert joined(CALLER, FACTS, 'row="nonsense"', is_stream=False) is None


def test_labels_of_an_operator_are_added_and_taken_off() -> None:
    text = page("requests_total", OUT, more=',verb="GET",removed="source_app,response_code"')
    (found,) = samples((CALLER, text))
    assert found.labels["verb"] == "GET"
    assert not {"source_app", "response_code", "removed", "row"} & set(found.labels)


def test_series_that_become_one_are_added_up() -> None:
    rows = [page("requests_total", OUT.replace("200", code), 3, ',removed="response_code"') for code in "12"]
    (found,) = samples((CALLER, "".join(rows)))
    assert found.value == 6


def test_a_label_with_quotes_is_escaped() -> None:
    facts = Facts(workloads={"shop/web-1": {"app": 'a"b\\c\nd'}})
    (found,) = samples((CALLER, page("requests_total", OUT)), facts=facts)
    assert found.labels["destination_app"] == 'a"b\\c\nd'


def test_a_histogram_keeps_its_bounds_and_has_seconds_when_asked() -> None:
    name = "request_duration_milliseconds"
    text = "".join(
        (
            page(f"{name}_bucket", OUT, 1, ',le="0.5"'),
            page(f"{name}_bucket", OUT, 2, ',le="500"'),
            page(f"{name}_bucket", OUT, 2, ',le="+Inf"'),
            page(f"{name}_sum", OUT, 250),
            page(f"{name}_count", OUT, 2),
        )
    )
    plain = samples((CALLER, text))
    assert [each.labels.get("le") for each in plain] == ["0.5", "500", "+Inf", None, None]
    both = [each for each in samples((CALLER, text), seconds=True) if each.name.startswith(SECONDS)]
    assert [(each.labels.get("le"), each.value) for each in both] == [
        ("0.5", 2),
        ("+Inf", 2),
        (None, 0.25),
        (None, 2),
    ]


def test_other_lines_of_a_page_are_left() -> None:
    found, others = read_page("# TYPE x counter\nx 1\n" + page("requests_total", OUT))
    assert others == "# TYPE x counter\nx 1"
    assert [(each.metric, each.value) for each in found] == [("requests_total", 1.0)]


def test_who_has_to_be_asked_about() -> None:
    text = page("requests_total", OUT) + page("requests_total", IN)
    text += page("requests_total", "client;200;-;;outbound|443||api.example.com;;")
    assert named(read_page(text)[0]) == (
        frozenset(("shop/web-1", "default/caller-v1")),
        frozenset(("api.example.com",)),
    )


@given(st.lists(st.tuples(st.sampled_from((OUT, IN)), st.integers(0, 999), st.integers(1, 50)), max_size=20))
def test_nothing_is_lost_and_nothing_counted_twice(rows: list[tuple[str, int, int]]) -> None:
    text = "".join(page("requests_total", row.replace("200", str(code)), count) for row, code, count in rows)
    assert sum(each.value for each in samples((SERVER, text))) == sum(count for _, _, count in rows)
