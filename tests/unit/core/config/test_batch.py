"""Several files as one apply takes them."""

import pytest

from proa.core.config import read_batch

RULE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: SUBSET}
"""


def rule(subset: str) -> str:
    return RULE.replace("SUBSET", subset)


def test_a_later_file_overrides_an_earlier_one_and_says_so() -> None:
    batch = read_batch([("all-v1.yaml", rule("v1")), ("test-v2.yaml", rule("v2"))])
    assert batch.is_valid
    (written,) = batch.objects
    assert written.document.file == "test-v2.yaml"
    (problem,) = batch.problems
    assert (problem.file, problem.line, problem.severity) == ("test-v2.yaml", 1, "warning")
    assert "all-v1.yaml:1" in problem.message


def test_twice_in_one_file_the_later_counts_and_it_is_said() -> None:
    batch = read_batch([("rules.yaml", f"{rule('v1')}---\n{rule('v2')}")])
    assert batch.is_valid
    (written,) = batch.objects
    assert written.document.line == 10
    (problem,) = batch.problems
    assert (problem.line, problem.code, problem.severity) == (10, "duplicate-object", "warning")
    assert "rules.yaml:1" in problem.message


def test_problems_of_all_files_are_found() -> None:
    batch = read_batch([("a.yaml", "kind: Nothing\n"), ("b.yaml", "- no\n"), ("c.yaml", rule("v1"))])
    assert not batch.is_valid
    assert {problem.file for problem in batch.problems} == {"a.yaml", "b.yaml"}
    assert [written.config.ref.name for written in batch.objects] == ["reviews"]


def test_objects_keep_the_namespace_asked_for() -> None:
    (written,) = read_batch([("a.yaml", rule("v1"))], "shop").objects
    assert written.config.ref.namespace == "shop"


def test_only_who_does_not_apply_gets_objects_that_nothing_acts_on() -> None:
    text = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a}\n"
    text += "spec: {url: 'https://example.com/a.wasm'}\n"
    assert not read_batch([("a.yaml", text)]).is_valid
    assert read_batch([("a.yaml", text)], only_in_force=False).is_valid


RULES = """\
apiVersion: networking.istio.io/{version}
kind: VirtualService
metadata: {{name: handed, namespace: shop}}
spec:
  http: [{{route: [{{destination: {{host: cart}}}}]}}]
"""
ROOT = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec:
  hosts: [shop.example.com]
  http: [{match: [{uri: {prefix: /}}], delegate: {name: handed, namespace: shop}}]
"""


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        ((RULES.format(version="v1"),), []),
        ((RULES.format(version="v1alpha3"),), [("spec.hosts", "required")]),
        ((RULES.format(version="v1alpha3"), ROOT), []),
        (
            (RULES.format(version="v1alpha3"), ROOT.replace("namespace: shop", "namespace: other")),
            [("spec.hosts", "required")],
        ),
    ],
    ids=["today", "of 2018", "with its root", "with another's root"],
)
def test_rules_without_hosts(texts: tuple[str, ...], codes: list[tuple[str, str]]) -> None:
    batch = read_batch([(f"{number}.yaml", text) for number, text in enumerate(texts)])
    assert [(each.path, each.code) for each in batch.problems if each.severity == "error"] == codes
