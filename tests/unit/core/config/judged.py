"""How the tests of the kinds ask: one spec, judged, as its places and codes."""

from proa.core.config import Document, Json, examine, path_text
from proa.core.config.kinds import find_kind
from proa.core.config.yaml_reader import NO_MARKS


def judge(kind: str, spec: Json) -> list[str]:
    """`spec.host required`, in order of places; empty for a valid spec. That a kind is not in force is left out."""
    row = find_kind(kind)
    assert row is not None
    value: dict[str, Json] = {
        "apiVersion": f"{row.group}/{row.versions[0]}",
        "kind": row.kind,
        "metadata": {"name": "a"},
        "spec": spec,
    }
    document = Document(file="f", line=1, value=value, marks=NO_MARKS)
    problems = examine(document, only_in_force=False).problems
    return [f"{problem.path} {problem.code}" for problem in problems if problem.code != "read-only-kind"]


def judge_rule(**rule: Json) -> list[str]:
    """One HTTP rule of a VirtualService; a route is added unless the rule says what to do."""
    if not rule.keys() & {"route", "redirect", "directResponse"}:
        rule["route"] = [{"destination": {"host": "a"}}]
    prefix = path_text(("spec", "http", 0)) + "."
    return [place.removeprefix(prefix) for place in judge("vs", {"hosts": ["a"], "http": [rule]})]
