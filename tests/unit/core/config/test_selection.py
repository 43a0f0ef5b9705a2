from proa.core.config.problem import Finding
from proa.core.config.selection import TargetRef, WorkloadSelector, check_selection

GATEWAY = TargetRef(group="gateway.networking.k8s.io", kind="Gateway", name="a")


def places(found: list[Finding]) -> list[str]:
    return [f"{'.'.join(map(str, each.path))} {each.code}" for each in found]


def test_a_selector_alone_is_fine() -> None:
    assert list(check_selection(WorkloadSelector(), None, (), "a")) == []


def test_a_selector_knows_no_wildcards() -> None:
    selector = WorkloadSelector(match_labels={"a": "*"})  # type: ignore[arg-type]
    assert places(list(check_selection(selector, None, (), "a"))) == ["spec.selector.matchLabels.a bad-value"]


def test_the_ways_to_choose_exclude_each_other() -> None:
    found = places(list(check_selection(WorkloadSelector(), GATEWAY, (GATEWAY,), "a")))
    assert found.count("spec conflict") == 2


def test_a_target_is_of_some_kinds_and_of_the_own_namespace() -> None:
    wrong = TargetRef(group="apps", kind="Deployment", name="A b", namespace="other")
    assert places(list(check_selection(None, None, (wrong,), "mine"))) == [
        "spec.targetRefs.0.kind bad-value",
        "spec.targetRefs.0.name bad-value",
        "spec.targetRefs.0.namespace bad-value",
        "spec.targetRefs.0 no-effect",
    ]


def test_targets_are_bounded() -> None:
    assert "spec.targetRefs too-large" in places(list(check_selection(None, None, (GATEWAY,) * 17, "a")))
