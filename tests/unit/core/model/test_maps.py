import msgspec
import pytest
from immutables import Map

from proa.core.model.maps import plain_map, typed_map


class Letter(msgspec.Struct, frozen=True):
    labels: Map[str, str]


def test_there_and_back() -> None:
    letter = Letter(Map({"b": "2", "a": "1"}))
    body = msgspec.json.encode(letter, enc_hook=plain_map)
    assert body == b'{"labels":{"a":"1","b":"2"}}'
    assert msgspec.json.decode(body, type=Letter, dec_hook=typed_map) == letter


def test_anything_else_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"labels":{"a":1}}', type=Letter, dec_hook=typed_map)
    with pytest.raises(NotImplementedError, match="object"):
        plain_map(object())
