from proa.core.config.config import Config
from proa.testing.mixer import mixer_config, rule
from tests.unit.core.mixer.analysis.telling import told


def test_metrics_have_the_dimensions_that_their_labels_say() -> None:
    counted = mixer_config(
        "metric", "count", {"value": "1", "dimensions": {"source.app": '"a"', "code": "response.code"}}
    )
    odd = mixer_config("metric", "odd", {"value": '"text"'})

    def handler(*metrics: tuple[str, list[str]]) -> Config:
        written = [
            {"name": f"m{number}", "instanceName": name, "kind": "COUNTER", "labelNames": labels}
            for number, (name, labels) in enumerate(metrics)
        ]
        return mixer_config("prometheus", "prom", {"metrics": written})

    used = rule("r", "prom", "count", "odd")
    fine = handler(("count.metric.default", ["source_app", "code"]))
    assert told(fine, counted, odd, used) == []
    bad = handler(("count.metric.default", ["code"]), ("cout.metric.default", []), ("odd.metric.default", []))
    assert told(bad, counted, odd, used) == [
        "prom spec.metrics[0].labelNames mixer-labels-differ",
        "prom spec.metrics[1].instanceName mixer-limit-unused",
        "prom spec.metrics[2].instanceName mixer-labels-differ",
    ]


def test_dimensions_that_are_chosen_are_there() -> None:
    count = mixer_config(
        "metric", "count", {"value": "1", "dimensions": {"app": '"a"', "code": "response.code"}}
    )
    metrics = [
        {"instanceName": "count.metric.default", "dimensions": ["app"]},
        {"instanceName": "count.metric.other", "dimensions": ["app"]},
        {"instanceName": "odd.metric.default", "dimensions": ["app"]},
    ]
    odd = mixer_config("metric", "odd", {"value": '"text"', "dimensions": {"ap": '"a"'}})
    for kind, where in (
        ("influxdb", {"url": "http://a:1", "database": "b"}),
        ("otlp", {"endpoint": "http://a:1"}),
    ):
        handler = mixer_config(kind, "h", {**where, "metrics": metrics})
        assert told(handler, count, odd, rule("r", "h", "count", "odd")) == [
            "h spec.metrics[1].instanceName mixer-limit-unused",
            "h spec.metrics[2].dimensions mixer-labels-differ",
            "h spec.metrics[2].instanceName mixer-labels-differ",
        ]
