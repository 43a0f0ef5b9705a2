from proa.core.config.compat.api import KINDS, MESSAGES, messages_of
from proa.core.config.compat.support import FieldSupport, KindSupport, support_of_everything
from proa.core.config.fields import shape_of
from proa.core.config.kinds import KINDS as TABLE

FOUND = {(each.group, each.kind): each for each in support_of_everything()}


def fields_of(kind: str) -> dict[str, FieldSupport]:
    (found,) = (each for each in FOUND.values() if each.kind == kind and each.fields)
    return {each.field: each for each in found.fields}


def test_every_kind_of_the_table_and_of_istio_is_there_once() -> None:
    assert set(TABLE) | set(KINDS) <= set(FOUND)
    assert len(FOUND) == len(support_of_everything())


def test_every_field_of_istio_is_told_of() -> None:
    for key, root in KINDS.items():
        assert len(FOUND[key].fields) == sum(len(MESSAGES[message]) for message in messages_of(root))


def test_what_takes_effect_and_what_does_not() -> None:
    fields = fields_of("VirtualService")
    assert fields["hosts"].support == "supported"
    assert fields["HTTPRoute.delegate"].support == "supported"
    assert fields_of("DestinationRule")["LoadBalancerSettings.backendUtilization"].support == "not yet"
    assert fields["HTTPFaultInjection.Abort.http2Error"].support == "accepted"
    assert fields["HTTPFaultInjection.Abort.http2Error"].note


def test_a_kind_that_nothing_acts_on_supports_nothing() -> None:
    for row in TABLE.values():
        found = FOUND[row.group, row.kind]
        if not row.in_force:
            assert found.support == "read only"
            assert found.count("supported", "in part") == 0


def test_adapters_that_do_not_run_say_why() -> None:
    assert "Google Stackdriver alone" in fields_of("stackdriver")["endpoint"].note
    assert fields_of("statsd")["address"].note == "Proa does not run this adapter yet"
    assert fields_of("denier")["status"].support == "supported"
    assert fields_of("handler")["adapter"].support == "not yet"
    assert "not called" in fields_of("handler")["adapter"].note


def test_fields_that_nothing_can_do_have_a_reason() -> None:
    gone = [
        each
        for kind in FOUND.values()
        for each in kind.fields
        if each.support in ("no equivalent", "accepted")
    ]
    assert gone
    assert all(each.note for each in gone)


def test_our_own_schemas_know_every_field_of_istio() -> None:
    """So that a field that is not served yet is refused by that reason, and not as a slip of the pen."""
    unknown = [
        f"{kind}.{field.name}"
        for (group, kind), root in KINDS.items()
        if (row := TABLE.get((group, kind))) is not None
        for field in MESSAGES[root]
        if field.name not in {*shape_of(row.spec).fields, *row.spec.NOT_YET}
    ]
    assert unknown == []


def test_counting() -> None:
    kind = KindSupport(
        group="g",
        kind="k",
        versions=(),
        support="in part",
        fields=(FieldSupport(field="a", support="supported"), FieldSupport(field="b", support="not yet")),
    )
    assert kind.count("supported", "not yet") == 2
