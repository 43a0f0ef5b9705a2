"""Values of attributes as OpenTelemetry's: texts, numbers and truths are its own, durations Go's text (`13.6ms`), times
RFC 3339, addresses text, maps lists of pairs."""

from collections.abc import Iterable, Iterator, Mapping

from immutables import Map
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from proa.core.attributes.value_texts import Written, written_value
from proa.core.mixer.templates import Field, Instance


def any_value(value: Field) -> AnyValue:
    if isinstance(value, Map):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value.items())))
    return _written(written_value(value))


def key_values(pairs: Iterable[tuple[object, Field]]) -> Iterator[KeyValue]:
    """In the order of their keys."""
    for key, value in sorted(pairs, key=lambda pair: str(pair[0])):
        yield KeyValue(key=clean(str(key)), value=any_value(value))


def pairs_of(instance: Instance, field: str) -> Mapping[str, Field]:
    """A field of an instance that is a map; empty where it is absent."""
    found = instance.fields.get(field)
    return found if isinstance(found, Map) else Map()


def clean(text: str) -> str:
    """Half a character of two, which protobuf's texts cannot have, becomes a question mark."""
    return text.encode(errors="replace").decode()


def _written(value: Written) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=clean(value))
        case _:
            return any_value(Map(value))
