"""Documents made from the schemas themselves: nearly right ones of every kind, with a wrong value here and there."""

from hypothesis import strategies as st

from proa.core.config import AnyKind, Json
from proa.core.config.fields import Fields, Items, Pairs, shape_of
from proa.core.config.shapes import Flag, Free, Integer, Number, Shape, Text, Timespan, Word

WORDS = st.sampled_from(
    [
        "a",
        "b.example",
        "*.example",
        "*",
        "default/a",
        "a.default.svc.cluster.local",
        "/a",
        "/{*}/**",
        "10.0.0.0/8",
        "::1",
        "HTTP",
        "80",
        "x-a",
        "request.headers[x-a]",
        "unix:///a",
        "https://a.example/keys",
        'a == "b"',
        "~/*",
        ".",
        "(",
        "%REQ(x)%",
        "\x00é",
        "",
    ]
)
ANYTHING: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def specs(row: AnyKind) -> st.SearchStrategy[Json]:
    """A spec of the kind, right in its shape but for single values."""
    return st.deferred(lambda: _values(shape_of(row.spec), 0))


def _values(shape: Shape, depth: int) -> st.SearchStrategy[Json]:
    right = _right(shape, depth)
    return st.integers(0, 39).flatmap(lambda roll: ANYTHING if roll == 0 else right)


def _right(shape: Shape, depth: int) -> st.SearchStrategy[Json]:
    match shape:
        case Text():
            return WORDS
        case Flag():
            return st.booleans()
        case Integer(lowest=lowest, highest=highest):
            start = max(lowest, 0)
            return st.integers(start, min(highest, start + 9)) | st.integers(
                start, min(highest, start + 70_000)
            )
        case Number(lowest=lowest, highest=highest):
            return st.floats(max(lowest, -100_000), min(highest, 100_000))
        case Timespan():
            return st.sampled_from(["1s", "0.5s", "1h", "0s"])
        case Word(words=words):
            return st.sampled_from(words)
        case Free():
            return st.dictionaries(WORDS, ANYTHING, max_size=2)
        case Items(item=item):
            return st.lists(_values(item, depth + 1), max_size=2)
        case Pairs(key=key, value=value):
            names = st.integers(1, 9).map(str) if key is not None else WORDS
            return st.dictionaries(names, _values(value, depth + 1), max_size=2)
        case Fields():
            return _objects(shape, depth)
        case _:
            return ANYTHING


def _objects(shape: Fields, depth: int) -> st.SearchStrategy[Json]:
    """The deeper, the fewer fields that need not be there."""

    @st.composite
    def draw_object(draw: st.DrawFn) -> Json:
        found: dict[str, Json] = {}
        for name, field in shape.fields.items():
            if field.required or draw(st.integers(0, 1 + depth)) == 0:
                found[name] = draw(_values(field.shape, depth + 1))
        return found

    return draw_object()
