import pytest

from proa.core.config import Json
from proa.core.config.kinds.virtual_service.claims import claim_path, is_claim
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("@request.auth.claims.sub", ("sub",)),
        ("@request.auth.claims.group.id", ("group", "id")),
        ("@request.auth.claims[a.b][c]", ("a.b", "c")),
        ("@request.auth.claims", None),
        ("@request.auth.claims.", None),
        ("@request.auth.claims.a..b", None),
        ("@request.auth.claims.a[b]", None),
        ("@request.auth.claims[]", None),
        ("@request.auth.claims[a]b", None),
        ("@request.auth.claimsx", None),
    ],
)
def test_the_steps_to_a_claim(name: str, path: tuple[str, ...] | None) -> None:
    assert is_claim(name)
    assert claim_path(name) == path


def rule(name: str, field: str = "headers") -> list[Json]:
    return [
        {"match": [{field: {name: {"exact": "a"}}}], "route": [{"destination": {"host": "a"}}]},
    ]


CLAIM = "@request.auth.claims.sub"


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"gateways": ["g"], "http": rule(CLAIM)}, []),
        ({"gateways": ["g"], "http": rule(CLAIM, "withoutHeaders")}, []),
        (
            {"gateways": ["g"], "http": rule("@request.auth.claims")},
            ["spec.http[0].match[0].headers[@request.auth.claims] bad-value"],
        ),
        ({"http": rule(CLAIM)}, [f"spec.http[0].match[0].headers[{CLAIM}] conflict"]),
        (
            {"gateways": ["g", "mesh"], "http": rule(CLAIM, "withoutHeaders")},
            [f"spec.http[0].match[0].withoutHeaders[{CLAIM}] conflict"],
        ),
    ],
)
def test_claims_are_for_gateways(spec: dict[str, Json], found: list[str]) -> None:
    assert judge("VirtualService", {"hosts": ["a.example.com"], **spec}) == found
