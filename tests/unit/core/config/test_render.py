import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config import load_all, parse, to_manifest, to_yaml
from tests.unit.core.config.samples import configs

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "017",
        "089",
        "0o17",
        "yes",
        "<<",
        "~",
        "",
        "1e3",
        "2001-01-01",
        "12:30:45",
        "- a",
        "a: b",
        "#",
        "a\n\n",
        " a\n",
        "\n",
        "=",
        "1_000",
    ]
)


def test_a_manifest_loads_to_an_equal_config() -> None:
    for config in configs():
        loaded = load_all(to_yaml(to_manifest(config)), "again")
        assert loaded.problems == ()
        assert [again.digest for again in loaded.configs] == [config.digest]
        assert [again.meta for again in loaded.configs] == [config.meta]


def test_equal_configs_give_equal_text() -> None:
    spelled = "kind: PeerAuthentication\napiVersion: security.istio.io/v1\nmetadata:\n"
    spelled += "  labels: {b: x, a: y}\n  name: a\nspec:\n  mtls: {mode: UNSET}\n  selector: null\n"
    (config,) = load_all(spelled, "f").configs
    assert to_yaml(to_manifest(config)) == (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: a\n  namespace: default\n"
        "  labels:\n    a: y\n    b: x\nspec:\n  mtls: {}\n"
    )


def test_several_manifests_are_several_documents() -> None:
    assert [document.value for document in parse(to_yaml({"a": 1}, {"b": [1]}), "f").documents] == [
        {"a": 1},
        {"b": [1]},
    ]


@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3))
def test_text_stays_text_for_us_and_for_readers_of_yaml_1_1(value: dict[str, str]) -> None:
    text = to_yaml(dict(value))
    (document,) = parse(text, "f").documents
    assert document.value == value
    assert yaml.safe_load(text) == value
