"""Trees that know where they come from."""

from proa.core.config.legacy.draft import Derived, Draft, Place, duration, raw
from proa.core.config.legacy.schema import Redirect
from proa.core.model.names import ObjectRef

RULE = ObjectRef("RouteRule", "default", "a")
OTHER = ObjectRef("RouteRule", "default", "b")


def test_a_draft_grows_and_remembers() -> None:
    draft = Draft(RULE)
    draft.put(("retries", "attempts"), 3, ("spec", "httpReqRetries"))
    draft.put(("retries", "retryOn"), "5xx", ("spec",))
    assert draft.value == {"retries": {"attempts": 3, "retryOn": "5xx"}}
    assert Place(("spec", "http", 0, "retries", "attempts"), RULE, ("spec", "httpReqRetries")) in draft.below(
        ("spec", "http", 0)
    )


def test_the_nearest_place_tells_the_origin() -> None:
    derived = Derived(
        kind="VirtualService",
        namespace="default",
        name="c",
        spec={},
        sources=(RULE, OTHER),
        places=(
            Place(("spec", "http", 1), OTHER, ("spec",)),
            Place(("spec", "http", 1, "match"), OTHER, ("spec", "m")),
        ),
    )
    assert derived.origin(("spec", "http", 1, "match", 0)) == (OTHER, ("spec", "m"))
    assert derived.origin(("spec", "http", 1, "route")) == (OTHER, ("spec",))
    assert derived.origin(("spec", "hosts", 0)) == (RULE, ("spec",))
    assert str(derived.ref) == "VirtualService/default/c"
    assert derived.manifest["metadata"] == {"name": "c", "namespace": "default"}


def test_how_things_are_written() -> None:
    assert duration(180_000) == "180.000s"
    assert duration(1_005) == "1.005s"
    assert raw(Redirect(uri="/x")) == {"uri": "/x"}
