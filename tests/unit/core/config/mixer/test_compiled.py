import msgspec
import pytest
from immutables import Map

from proa.core.config import Document, Json, examine, parse
from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind, Catalogue
from proa.core.config.mixer.compiled import compiled_faults, handler_of, instance_of, missing_adapter
from proa.core.config.mixer.parameters import Adapter, MemQuota
from proa.core.config.mixer.templates import ListEntry, Quota
from tests.unit.core.config.judged import judge


class Parameters(Adapter, frozen=True, kw_only=True):
    level: str = ""


INSTALLED = BUILT_IN.with_adapters(
    [AdapterKind(name="greylist", templates=("listentry",), parameters=Parameters)]
)
LIMITS: Json = {"quotas": [{"name": "a", "max_amount": 5, "validDuration": "1s"}]}


def document(kind: str, spec: str) -> Document:
    text = f"apiVersion: config.istio.io/v1alpha2\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n{spec}"
    (found,) = parse(text, "f").documents
    return found


def config(kind: str, spec: Json, catalogue: Catalogue = BUILT_IN) -> Config:
    written = msgspec.json.encode(spec).decode()
    found = examine(document(kind, f"  {written}"), only_in_force=False, catalogue=catalogue)
    assert found.config is not None, found.problems
    return found.config


def test_a_handler_is_one_whichever_way_it_is_written() -> None:
    old = config("memquota", LIMITS)
    new = config("handler", {"compiledAdapter": "memquota", "params": LIMITS})
    one, other = (handler_of(each.kind, each.spec, BUILT_IN) for each in (old, new))
    assert one is not None
    assert other is not None
    assert one.parameters == other.parameters
    assert isinstance(one.parameters, MemQuota)
    assert one.adapter is other.adapter
    assert (one.path, other.path) == (("spec",), ("spec", "params"))


def test_an_instance_is_one_whichever_way_it_is_written() -> None:
    fields: Json = {"dimensions": {"a": '"b"'}}
    old = config("quota", fields)
    new = config(
        "instance", {"compiledTemplate": "quota", "params": fields, "attributeBindings": {"a.b": "$out.c"}}
    )
    one, other = (instance_of(each.kind, each.spec) for each in (old, new))
    assert one is not None
    assert other is not None
    assert one.fields == Quota(dimensions=Map(a='"b"'))
    assert other.fields == Quota(dimensions=Map(a='"b"'), attribute_bindings=Map({"a.b": "$out.c"}))


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("handler", {"compiledAdapter": "memqouta"}, ["spec.compiledAdapter unknown-adapter"]),
        ("handler", {"compiledAdapter": "noop", "params": {"a": 1}}, ["spec.params.a unknown-field"]),
        (
            "handler",
            {"compiledAdapter": "memquota", "params": {"quotas": [{"name": "a", "maxAmount": -1}]}},
            [
                "spec.params.quotas[0].maxAmount out-of-range",
                "spec.params.quotas[0].validDuration no-effect",
            ],
        ),
        ("instance", {"compiledTemplate": "listentr"}, ["spec.compiledTemplate unknown-template"]),
        (
            "instance",
            {"compiledTemplate": "listentry", "params": {"value": "a |"}},
            ["spec.params.value bad-value"],
        ),
        (
            "instance",
            {"compiledTemplate": "listentry", "params": {"vale": "a"}},
            ["spec.params.vale unknown-field"],
        ),
    ],
)
def test_parameters_are_read_by_their_schema(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found


def test_what_is_installed_is_known_in_both_styles() -> None:
    written: list[tuple[str, Json]] = [
        ("greylist", {"level": "a"}),
        ("handler", {"compiledAdapter": "greylist", "params": {"level": "a"}}),
    ]
    for kind, spec in written:
        made = config(kind, spec, INSTALLED)
        handler = handler_of(made.kind, made.spec, INSTALLED)
        assert handler is not None
        assert handler.parameters == Parameters(level="a")
        assert handler_of(made.kind, made.spec, BUILT_IN) is None
        assert (
            examine(document(kind, f"  {msgspec.json.encode(spec).decode()}"), only_in_force=False).config
            is None
        )


def test_other_objects_are_neither() -> None:
    rule = config("rule", {"actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}]})
    assert handler_of(rule.kind, rule.spec, BUILT_IN) is None
    assert instance_of(rule.kind, rule.spec) is None
    assert list(compiled_faults(rule.spec, BUILT_IN)) == []
    assert missing_adapter(rule.spec, BUILT_IN) == ""
    elsewhere = config("instance", {"template": "a"})
    assert instance_of(elsewhere.kind, elsewhere.spec) is None
    assert "not called" in missing_adapter(elsewhere.spec, BUILT_IN)


def test_lists_and_templates_of_others_stay_apart() -> None:
    assert instance_of("greylist", ListEntry(value="a")) is None


def test_who_applies_is_told_why_an_adapter_does_not_run() -> None:
    said = {
        "closed": examine(document("stackdriver", "  {}")),
        "elsewhere": examine(document("handler", "  adapter: a")),
        "compiled": examine(document("handler", "  compiledAdapter: signalfx\n  params: {}")),
    }
    texts = {
        name: [each.message for each in found.problems if each.code == "kind-not-supported-yet"]
        for name, found in said.items()
    }
    assert "Google Stackdriver" in texts["closed"][0]
    assert "programs of their own are not called" in texts["elsewhere"][0]
    assert "SignalFx" in texts["compiled"][0]


def test_a_field_in_the_spelling_of_protobuf_has_its_line() -> None:
    spec = "  quotas:\n  - name: a\n    valid_duration: 1s\n    max_amount: -1"
    (problem,) = (
        each
        for each in examine(document("memquota", spec), only_in_force=False).problems
        if each.severity == "error"
    )
    assert (problem.path, problem.line) == ("spec.quotas[0].maxAmount", 8)
