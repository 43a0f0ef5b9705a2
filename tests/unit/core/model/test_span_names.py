"""What an Envoy is told of itself."""

from proa.core.model.names import WorkloadId
from proa.core.model.span_names import RESOURCE, SPAN_NAMES, variables_of


def test_every_tag_has_its_variable_and_the_resource_its_name() -> None:
    found = variables_of(WorkloadId("shop", "web-1"), "web", "v2")
    assert set(SPAN_NAMES.values()) < set(found)
    assert found[RESOURCE] == (
        "service.name=web.shop,service.namespace=shop,service.version=v2,service.instance.id=shop/web-1"
    )


def test_a_label_cannot_write_attributes_of_its_own() -> None:
    found = variables_of(WorkloadId("shop", "web-1"), "web", "v2,service.name=other")
    assert found[RESOURCE] == "service.name=web.shop,service.namespace=shop,service.instance.id=shop/web-1"
