"""Derived objects read by today's kinds."""

from proa.core.config import load_all
from proa.core.config.legacy.convert import Converted, convert
from proa.core.config.legacy.draft import Derived, Place
from proa.core.config.legacy.today import is_old, read_back
from proa.core.model.names import ObjectRef
from tests.unit.core.config.legacy.old import old, rule

TEXT = rule("a", "{destination: {name: c}, httpReqTimeout: {simpleTimeout: {timeout: 3s}}}")


def test_what_is_derived_equals_what_is_written() -> None:
    (made,) = read_back(convert(old(TEXT))).objects
    written = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c}
spec: {hosts: [c], http: [{route: [{destination: {host: c}, weight: 100}], timeout: 3s}]}
"""
    (same,) = load_all(written, "f").configs
    assert made.config.digest == same.digest
    assert made.sources == (ObjectRef("RouteRule", "default", "a"),)
    assert (is_old(made.config), is_old(old(TEXT)[0])) == (False, True)


def test_what_today_refuses_is_told_of_the_old_object() -> None:
    ref = ObjectRef("RouteRule", "default", "a")
    bad = Derived(
        kind="VirtualService",
        namespace="default",
        name="c",
        spec={"hosts": ["c"], "http": [{"rout": []}]},
        sources=(ref,),
        places=(Place(("spec", "http", 0), ref, ("spec", "route")),),
    )
    back = read_back(Converted(derived=(bad,)))
    assert back.objects == ()
    assert {(source, finding.path) for source, finding in back.findings} == {(ref, ("spec", "route"))}
