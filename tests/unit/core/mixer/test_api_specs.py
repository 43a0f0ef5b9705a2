"""What HTTPAPISpecs tell of requests, and what that depends on."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.time_texts import parse_timestamp
from proa.core.attributes.value_types import Span, Value, ValueType
from proa.core.attributes.vocabulary import STANDARD, Vocabulary
from proa.core.config.attribute_values import AttributeValue, StringMap
from proa.core.config.config import Config
from proa.core.expression.tracing import Reference
from proa.core.mixer.api_specs import (
    API_KEY,
    API_NAMES,
    NO_APIS,
    Apis,
    apis_for,
    compile_apis,
    grounded,
    value_of,
)
from proa.core.mixer.verdict.keys import Facts, key_of
from proa.core.mixer.verdict.shapes import Shape, shape_of
from proa.testing.mixer import mixer_config

HOST = "petstore.shop.svc.cluster.local"
DECLARED = Vocabulary(
    STANDARD.types.update({"shop.cost": ValueType.INT64, "shop.tags": ValueType.STRING_MAP})
)


def texts(**attributes: object) -> object:
    written = {
        name.replace("_", "."): {"stringValue": value} if isinstance(value, str) else {"int64Value": value}
        for name, value in attributes.items()
    }
    return {"attributes": written}


def pattern(method: str, where: str, **attributes: object) -> object:
    field = "uriTemplate" if where.startswith("/") else "regex"
    return {"httpMethod": method, field: where.removeprefix("regex:"), "attributes": texts(**attributes)}


PETS = mixer_config(
    "HTTPAPISpec",
    "pets",
    {
        "attributes": texts(api_service="petstore", api_version="1.0.0"),
        "patterns": [
            pattern("GET", "/pets", api_operation="listPets"),
            pattern("GET", "/pets/{id}", api_operation="getPet", shop_cost=1),
            pattern("post", "/pets", api_operation="createPet", shop_cost=5),
            pattern("*", "regex:/pets/[0-9]+", api_protocol="by-number"),
            pattern("GET", "regex:.*[?].*limit=.*", shop_cost=2),
        ],
    },
    "shop",
)


def binding(*specs: str, name: str = "b", service: str = "petstore") -> Config:
    named = [{"name": each} for each in specs]
    spec = {"services": [{"name": service}], "apiSpecs": named}
    return mixer_config("HTTPAPISpecBinding", name, spec, "shop")


def apis(*configs: Config, host: str = HOST) -> Apis:
    return apis_for(compile_apis(configs, DECLARED), host)


def told(found: Apis, method: str, path: str) -> dict[str, Value]:
    every = {**found.constants, **found.tell({":method": method, ":path": path})}
    return {name.partition(".")[2]: value for name, value in every.items()}


@pytest.mark.parametrize(
    ("method", "path", "adds"),
    [
        ("GET", "/pets", {"operation": "listPets"}),
        ("GET", "/pets?limit=3", {"operation": "listPets", "cost": 2}),
        ("GET", "/pets/7", {"operation": "getPet", "cost": 1, "protocol": "by-number"}),
        ("GET", "/pets/7?limit=3", {"operation": "getPet", "cost": 2, "protocol": "by-number"}),
        ("GET", "/pets/rex", {"operation": "getPet", "cost": 1}),
        ("POST", "/pets", {"operation": "createPet", "cost": 5}),
        ("DELETE", "/pets/7", {"protocol": "by-number"}),
        ("GET", "/", {}),
    ],
)
def test_the_best_template_then_all_expressions(method: str, path: str, adds: dict[str, Value]) -> None:
    found = told(apis(PETS, binding("pets")), method, path)
    assert found == {"service": "petstore", "version": "1.0.0", **adds}


def test_only_services_that_are_bound_have_apis() -> None:
    assert apis(PETS, binding("pets"), host="other.shop.svc.cluster.local") is NO_APIS
    assert apis(PETS) is NO_APIS
    assert apis(PETS, binding("gone")) is NO_APIS


def test_what_is_the_same_for_all_requests_is_told_apart() -> None:
    found = apis(PETS, binding("pets"))
    assert found.constants == Map({"api.service": "petstore", "api.version": "1.0.0"})
    assert found.names == {"api.operation", "api.protocol", "shop.cost", API_KEY}
    assert found.names.isdisjoint(found.constants)


def test_of_several_specs_the_later_wins() -> None:
    more = mixer_config(
        "HTTPAPISpec",
        "toys",
        {
            "attributes": texts(api_service="toystore", api_protocol="rest"),
            "patterns": [pattern("GET", "/pets/*", api_operation="getToy")],
        },
        "shop",
    )
    found = apis(PETS, more, binding("toys", "pets"), binding("pets", name="again"))
    assert told(found, "GET", "/pets/7") == {
        "service": "toystore",
        "version": "1.0.0",
        "operation": "getToy",
        "protocol": "rest",
        "cost": 1,
    }
    assert told(found, "GET", "/pets")["operation"] == "listPets"


def test_what_no_rule_may_read_is_not_told() -> None:
    odd = mixer_config(
        "HTTPAPISpec",
        "odd",
        {"patterns": [pattern("GET", "/", api_versoin="1", api_operation=3, shop_cost="much")]},
        "shop",
    )
    assert told(apis(odd, binding("odd")), "GET", "/") == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (AttributeValue(string_value=""), ""),
        (AttributeValue(int64_value=0), 0),
        (AttributeValue(double_value=0.5), 0.5),
        (AttributeValue(bool_value=False), False),
        (AttributeValue(bytes_value="CgAABw=="), bytes((10, 0, 0, 7))),
        (AttributeValue(duration_value=1500), Span(1_500_000_000)),
        (AttributeValue(string_map_value=StringMap(entries=Map(a="b"))), Map(a="b")),
        (AttributeValue(timestamp_value="2018-05-17T09:30:00Z"), parse_timestamp("2018-05-17T09:30:00Z")),
    ],
)
def test_values(written: AttributeValue, value: Value) -> None:
    assert value_of(written) == value


def keyed(*keys: Mapping[str, str]) -> Apis:
    spec = {"patterns": [{"httpMethod": "GET", "uriTemplate": "/"}], "apiKeys": list(keys)}
    return apis(mixer_config("HTTPAPISpec", "k", spec, "shop"), binding("k"))


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({":path": "/?a=b&key=one&key=two"}, "one"),
        ({":path": "/?api_key=two", "x-api-key": "three"}, "two"),
        ({":path": "/?key=", "x-api-key": "three"}, "three"),
        ({":path": "/?key=a%2Fb"}, "a/b"),
        ({":path": "/?keys=1", "cookie": "key=4"}, None),
        ({"x-api-key": ""}, None),
    ],
)
def test_keys_are_where_they_always_were(headers: dict[str, str], key: str | None) -> None:
    assert keyed().find_key(headers) == key


def test_keys_are_where_specs_say() -> None:
    found = keyed({"header": "X-Shop-Key"}, {"cookie": "shop"}, {"query": "token"})
    assert found.key_headers == {"x-shop-key", "cookie"}
    assert found.find_key({":path": "/?key=1", "x-api-key": "2"}) is None
    cookies = 'a=b; shop="three" ;c'
    assert found.find_key({"x-shop-key": "one", "cookie": cookies}) == "one"
    assert found.find_key({":path": "/?token=t", "cookie": cookies}) == "three"
    assert found.find_key({":path": "/?token=t#f", "cookie": "a=b"}) == "t"


def test_specs_that_stay_are_not_compiled_again() -> None:
    first = compile_apis((PETS, binding("pets")), DECLARED)
    again = compile_apis((PETS, binding("pets"), binding("pets", name="c", service="x")), DECLARED, first)
    assert again.specs[PETS.ref] is first.specs[PETS.ref]
    assert again != first
    assert compile_apis((binding("pets"), PETS), DECLARED) == first
    undeclared = compile_apis((PETS, binding("pets")), STANDARD, first)
    assert undeclared.specs[PETS.ref] != first.specs[PETS.ref]
    assert "shop.cost" not in undeclared.specs[PETS.ref].some


def references(*names: str) -> tuple[Reference, ...]:
    return tuple(Reference(name, None, "exact") for name in names)


def test_it_depends_on_what_the_proxy_knows() -> None:
    found = apis(PETS, binding("pets"))
    assert list(grounded(found, references("api.service", "source.user"))) == list(references("source.user"))
    assert set(grounded(found, references("api.operation"))) == set(
        references("request.path", "request.method")
    )
    of_key = set(grounded(found, references(API_KEY)))
    assert of_key == {Reference("request.headers", "x-api-key", "exact"), *references("request.path")}
    assert not list(grounded(NO_APIS, references(*sorted(API_NAMES))))


REQUESTS = st.fixed_dictionaries(
    {
        ":method": st.sampled_from(["GET", "POST"]),
        ":path": st.sampled_from(["/", "/pets", "/pets/7", "/pets/7?key=1", "/pets?key=2&limit=3"]),
    },
    optional={
        "x-api-key": st.sampled_from(["", "1", "2"]),
        "cookie": st.sampled_from(["shop=1", "shop=2", ""]),
        "accept": st.sampled_from(["a", "b"]),
    },
)
NAMES = st.sampled_from(sorted({*API_NAMES, "shop.cost"}))


@given(REQUESTS, REQUESTS, NAMES)
def test_requests_that_agree_in_that_are_told_alike(
    one: dict[str, str], other: dict[str, str], name: str
) -> None:
    """By the keys under which proxies keep verdicts."""
    own_keys = mixer_config(
        "HTTPAPISpec",
        "a",
        {"patterns": [pattern("POST", "/pets/*", api_version="2")], "apiKeys": [{"cookie": "shop"}]},
        "shop",
    )
    found = apis(PETS, own_keys, binding("pets", "a"))
    shape = shape_of(grounded(found, references(name)))
    assert isinstance(shape, Shape)
    if key_of(shape, Facts(headers=one)) == key_of(shape, Facts(headers=other)):
        values = [
            found.find_key(each) if name == API_KEY else found.tell(each).get(name) for each in (one, other)
        ]
        assert values[0] == values[1]
