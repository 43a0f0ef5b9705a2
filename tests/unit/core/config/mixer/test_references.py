import pytest

from proa.core.config.mixer.references import canonical, table_of
from proa.core.model.names import ObjectRef

REFS = (
    ObjectRef("memquota", "istio-system", "handler"),
    ObjectRef("memquota", "shop", "handler"),
    ObjectRef("redisquota", "shop", "handler"),
    ObjectRef("handler", "shop", "newer"),
    ObjectRef("denier", "shop", "newer"),
    ObjectRef("handler", "denier", "odd"),
    ObjectRef("denier", "default", "odd"),
)
TABLE = table_of("handler", reversed(REFS))


@pytest.mark.parametrize(
    ("text", "namespace", "found"),
    [
        ("handler.memquota.shop", "default", "handler.memquota.shop"),
        ("handler.memquota.default", "default", None),
        ("handler.memquota", "shop", "handler.memquota.shop"),
        ("handler.memquota", "default", "handler.memquota.istio-system"),
        ("newer.shop", "default", "newer.handler.shop"),
        ("handler.shop", "default", None),
        # The kind in the rule's own namespace is tried before a namespace of that name.
        ("odd.denier", "default", "odd.denier.default"),
        ("odd.denier", "shop", "odd.handler.denier"),
        ("newer", "shop", "newer.handler.shop"),
        ("handler", "shop", "handler.memquota.istio-system"),
        ("handler", "default", "handler.memquota.istio-system"),
        ("odd", "default", "odd.denier.default"),
        ("a.b.c.d", "shop", None),
        ("", "shop", None),
    ],
)
def test_what_is_meant(text: str, namespace: str, found: str | None) -> None:
    ref = TABLE.find(text, namespace)
    assert (canonical(ref) if ref else None) == found


def test_who_names_nothing_is_told_what_is_near() -> None:
    assert TABLE.missing("handler.memquot.shop", "handler").endswith('did you mean "handler.memquota.shop"?')
    assert TABLE.missing("zzz", "handler") == (
        'there is no handler "zzz"; write name.kind.namespace of one that is there'
    )
