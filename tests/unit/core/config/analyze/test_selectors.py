from proa.core.config import Json
from proa.core.config.analyze.selectors import check_selectors, selection_of
from tests.unit.core.config.analyze.finding import an_object, entry, find, routes, to, worker


def selecting(app: str) -> dict[str, Json]:
    return {"selector": {"matchLabels": {"app": app}}}


RUNNING = (worker("default", app="a", version="1"), worker("other", app="b"))


def test_nothing_has_the_labels() -> None:
    configs = [an_object("pa", "x", selecting("a")), an_object("pa", "y", selecting("b"))]
    assert find(check_selectors, configs) == []
    assert find(check_selectors, configs, workers=RUNNING) == ["selector-matches-nothing y spec.selector"]


def test_in_the_root_namespace_a_selector_is_for_all() -> None:
    configs = [an_object("ap", "istio-system/x", selecting("b"))]
    assert find(check_selectors, configs, workers=RUNNING) == []


def test_entries_can_be_selected_too() -> None:
    selector: Json = {"labels": {"app": "vm"}}
    configs = [
        entry("x", "x.example", workloadSelector=selector, resolution="STATIC", location="MESH_INTERNAL"),
        an_object("we", "y", {"address": "192.0.2.1", "labels": {"app": "vm"}}),
    ]
    assert find(check_selectors, configs, workers=()) == []
    assert find(check_selectors, configs[:1], workers=()) == [
        "selector-matches-nothing x spec.workloadSelector"
    ]


def test_rules_for_clients_that_do_not_run() -> None:
    rule: Json = {"match": [{"sourceLabels": {"app": "a", "version": "2"}}], **to("a")}
    assert find(check_selectors, [routes("x", ["a"], rule)], workers=RUNNING) == [
        "selector-matches-nothing x spec.http[0].match[0].sourceLabels"
    ]


def test_two_for_the_same_workloads() -> None:
    configs = [
        an_object("pa", "a", selecting("a")),
        an_object("pa", "b", selecting("a")),
        an_object("pa", "c", {}),
        an_object("pa", "d", {}),
        an_object("pa", "other/e", {}),
        an_object("ap", "f", selecting("a")),
        an_object("ap", "g", selecting("a")),
    ]
    assert find(check_selectors, configs) == ["defaults-conflict d ", "selectors-conflict b spec.selector"]


def test_objects_for_namespaces_in_which_nothing_runs() -> None:
    configs = [
        routes("a", ["x"], exportTo=["."]),
        routes("empty/b", ["x"], exportTo=["."]),
        routes("empty/c", ["x"]),
    ]
    assert find(check_selectors, configs) == []
    assert find(check_selectors, configs, workers=RUNNING) == ["rule-unseen b spec.exportTo"]


def test_kinds_that_select_nothing() -> None:
    assert selection_of(routes("a", ["x"]).spec) is None
    selection = selection_of(an_object("sidecar", "a", {"egress": [{"hosts": ["./*"]}]}).spec)
    assert selection is not None
    assert selection.labels is None
