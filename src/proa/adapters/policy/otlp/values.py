"""Values of attributes as OpenTelemetry's: texts, numbers and truths are its own, durations Go's text (`13.6ms`), times
RFC 3339, addresses text, maps lists of pairs."""

from collections.abc import Iterable, Mapping

from immutables import Map
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from proa.core.attributes.value_texts import written_value
from proa.core.mixer.templates import Field, Instance


def any_value(value: Field) -> AnyValue:
    made = AnyValue()
    _set(made, value)
    return made


def key_values(pairs: Iterable[tuple[str, Field]]) -> list[KeyValue]:
    """In the order of their keys."""
    return [_pair(key, value) for key, value in sorted(pairs, key=_name)]


def _name(pair: tuple[str, Field]) -> str:
    return pair[0]


def _pair(key: str, value: Field) -> KeyValue:
    made = KeyValue(key=clean(key))
    if isinstance(value, str):  # nearly all are
        made.value.string_value = clean(value)
    else:
        _set(made.value, value)
    return made


def _set(made: AnyValue, value: Field) -> None:
    plain: object = value if isinstance(value, Map) else written_value(value)
    match plain:
        case bool():
            made.bool_value = plain
        case int():
            made.int_value = plain
        case float():
            made.double_value = plain
        case str():
            made.string_value = clean(plain)
        case _:
            assert isinstance(plain, Mapping)
            made.kvlist_value.values.extend(key_values((str(key), each) for key, each in plain.items()))
            made.kvlist_value.SetInParent()


def pairs_of(instance: Instance, field: str) -> Mapping[str, Field]:
    """A field of an instance that is a map; empty where it is absent."""
    found = instance.fields.get(field)
    return found if isinstance(found, Map) else Map()


def clean(text: str) -> str:
    """Half a character of two, which protobuf's texts cannot have, becomes a question mark."""
    return text if text.isascii() else text.encode(errors="replace").decode()
