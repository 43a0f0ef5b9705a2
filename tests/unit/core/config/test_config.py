import copy
import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config import (
    Config,
    Document,
    Json,
    Problem,
    examine,
    load,
    load_all,
    parse,
    to_manifest,
    to_yaml,
)
from proa.core.config.fields import Fields, Items, Pairs, shape_of
from proa.core.config.kinds import KINDS
from proa.core.config.shapes import Shape
from proa.core.config.yaml_reader import NO_MARKS
from tests.unit.core.config.samples import TEXTS, configs

PEER = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
VIRTUAL = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
ROUTE = "  http: [{route: [{destination: {host: a}}]}]\n"
SAMPLES = [to_manifest(config) for config in configs()]


def names(shape: Shape) -> set[str]:
    """Every field name below a shape."""
    if isinstance(shape, Fields):
        return {*shape.fields, *shape.type.NOT_YET}.union(
            *(names(field.shape) for field in shape.fields.values())
        )
    if isinstance(shape, Items):
        return names(shape.item)
    return names(shape.value) if isinstance(shape, Pairs) else set()


NAMES = sorted(set[str]().union(*(names(shape_of(row.spec)) for row in KINDS.values())))
WORDS = st.sampled_from(
    ["", "*", ".", "a", "a.b", "1s", "STRICT", "STATIC", "HTTP", "unix:///", "1.2.3.4/8", "(", "a/b", "80"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
TREES: st.SearchStrategy[Json] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | WORDS, inner, max_size=4)
    ),
    max_leaves=20,
)


def document(value: dict[str, Json]) -> Document:
    return Document(file="f", line=1, value=value, marks=NO_MARKS)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Json]:
    """A valid object with one place changed to anything."""
    value = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    place: Json = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(cast(list[Json], place))))
        if not keys:
            return value
        key = draw(st.sampled_from(keys))
        inside = cast(dict[object, Json], place)[key]
        if not isinstance(inside, dict | list) or draw(st.booleans()):
            cast(dict[object, Json], place)[key] = draw(TREES)
            return value
        place = inside


@given(
    st.one_of(
        mutated(),
        st.fixed_dictionaries(
            {
                "apiVersion": st.just("networking.istio.io/v1"),
                "kind": st.sampled_from(
                    ["VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "WorkloadEntry"]
                ),
                "metadata": TREES,
                "spec": TREES,
            }
        ),
        st.dictionaries(st.text(max_size=9), TREES),
    )
)
def test_any_tree_is_a_config_or_problems_and_a_config_renders_to_itself(value: dict[str, Json]) -> None:
    result = load(document(value))
    if not isinstance(result, Config):
        assert result
        assert any(problem.severity == "error" for problem in result)
        return
    assert hash(result.spec) is not None
    rendered = load_all(to_yaml(to_manifest(result)), "f")
    assert [config.digest for config in rendered.configs] == [result.digest]
    assert [config.spec for config in rendered.configs] == [result.spec]


def _outside_of_texts(lines: list[str]) -> list[int]:
    """Where a line may be put that is not within a block of literal text, of which it would become a part."""
    places, within = [], None
    for at, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if within is not None and line.strip() and indent <= within:
            within = None
        if within is None:
            places.append(at)
            within = indent if line.endswith(("|", "|-", ">", ">-")) else None
    return places if within is not None else [*places, len(lines)]


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_comments_and_empty_lines_change_no_digest_but_move_lines(kind: str, data: st.DataObject) -> None:
    lines = TEXTS[kind].splitlines()
    at = data.draw(st.sampled_from(_outside_of_texts(lines)))
    noise = data.draw(st.lists(st.sampled_from(["# a: b", "", "      # deep"]), min_size=1, max_size=3))
    shifted = load_all("\n".join([*lines[:at], *noise, *lines[at:]]), "f")
    assert [config.digest for config in shifted.configs] == [
        config.digest for config in load_all(TEXTS[kind], "f").configs
    ]


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_problems_of_a_torn_file_lie_inside_it(kind: str, data: st.DataObject) -> None:
    text = TEXTS[kind]
    start = data.draw(st.integers(0, len(text)))
    torn = (
        text[:start]
        + data.draw(st.text(":-[{}] \n\t'\"a", max_size=4))
        + text[start + data.draw(st.integers(0, 30)) :]
    )
    for problem in load_all(torn, "f").problems:
        assert 1 <= problem.line <= torn.count("\n") + 1
        assert problem.message


def test_a_config_knows_its_reference_and_its_digest_covers_what_matters() -> None:
    text = PEER + "metadata:\n  name: a\n  labels:\n    l: m\nspec:\n  mtls:\n    mode: STRICT\n"

    def digest(old: str = "", new: str = "") -> str:
        (config,) = load_all(text.replace(old, new, 1) if old else text, "f").configs
        return config.digest

    (config,) = load_all(text, "f").configs
    assert str(config.ref) == "PeerAuthentication/default/a"
    for old, new in [
        ("name: a", "name: b"),
        ("l: m", "l: n"),
        ("STRICT", "DISABLE"),
        ("name: a", "name: a\n  namespace: b"),
    ]:
        assert digest(old, new) != digest()
    for old, new in [
        ("/v1", "/v1beta1"),
        ("name: a", "name: a\n  annotations: {x: y}"),
        ("spec", "status: {}\nspec"),
    ]:
        assert digest(old, new) == digest()


def test_warnings_stand_beside_a_config() -> None:
    text = VIRTUAL + "metadata: {name: a}\nspec:\n  hosts: [a]\n  gateways: [b.c]\n" + ROUTE
    (one,) = parse(text, "f").documents
    assert isinstance(load(one), Config)
    (warning,) = examine(one).problems
    assert (warning.severity, warning.line, warning.path) == ("warning", 6, "spec.gateways[0]")
    assert load_all(text, "f").errors == ()


def test_a_document_with_faults_is_no_config_and_tells_the_rest_too() -> None:
    text = PEER + "metadata: {name: a}\nspec:\n  mtls: {mode: X}\n  mtls: {}\n"
    (one,) = parse(text, "f").documents
    result = load(one)
    assert isinstance(result, tuple)
    assert [(problem.line, problem.code) for problem in result] == [(5, "bad-value"), (6, "duplicate-key")]


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ({}, "required"),
        ({"apiVersion": 1, "kind": None}, "wrong-type"),
        ({"apiVersion": "networking.istio.io/v1", "kind": "VirtualServise"}, "unknown-kind"),
        ({"apiVersion": "networking.istio.io/v9", "kind": "VirtualService"}, "unknown-version"),
        ({"apiVersion": "v1", "kind": "VirtualService"}, "unknown-version"),
        ({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin"}, "kind-not-supported-yet"),
        ({"apiVersion": "config.istio.io/v1alpha2", "kind": "edge"}, "kind-not-supported-yet"),
        ({"apiVersion": "v1", "kind": "Service"}, "unknown-kind"),
    ],
)
def test_objects_of_no_kind(head: dict[str, Json], code: str) -> None:
    result = load(document({**head, "metadata": {"name": "a"}, "spec": {}}))
    assert isinstance(result, tuple)
    assert code in [problem.code for problem in result]


def test_load_all_keeps_the_good_and_sorts_the_problems() -> None:
    good = json.dumps(SAMPLES[0])
    loaded = load_all(f"a: [\n---\n{good}\n---\nx: 1\n", "f", default_namespace="other")
    assert [config.kind for config in loaded.configs] == [SAMPLES[0]["kind"]]
    assert loaded.problems == tuple(sorted(loaded.problems))
    assert all(isinstance(problem, Problem) for problem in loaded.errors)
    assert len(loaded.documents) == 2
