import pytest

from proa.core.config.gateway_api.check.references import check_parents, check_target
from proa.core.config.gateway_api.schema import X_GROUP, BackendObject, ParentRef


@pytest.mark.parametrize(
    ("parent", "codes"),
    [
        (ParentRef(name="a"), []),
        (ParentRef(name="a", kind="ListenerSet"), []),
        (ParentRef(name="a", kind="XListenerSet", group=X_GROUP), []),
        (ParentRef(name="a", kind="Service", group="", section_name="http-80"), []),
        (ParentRef(name="a", kind="Service"), ["bad-value"]),
    ],
)
def test_parents(parent: ParentRef, codes: list[str]) -> None:
    assert [each.code for each in check_parents((parent,))] == codes


def test_a_parent_twice_is_a_slip() -> None:
    assert [each.code for each in check_parents((ParentRef(name="a"), ParentRef(name="a")))] == ["duplicate"]


def test_a_service_is_called_at_a_port() -> None:
    (found,) = check_target(BackendObject(name="a"), ("spec",))
    assert found.path == ("spec", "port")
    (other,) = check_target(BackendObject(name="a", kind="Bucket"), ("spec",))
    assert other.severity == "warning"
