"""Which template fits a path best, against a reading that tries all of them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.uri_templates import Template, Templates, read_template


@pytest.mark.parametrize(
    ("text", "segments", "verb"),
    [
        ("/", (), ""),
        ("/a/b", ("a", "b"), ""),
        ("/a/", ("a",), ""),
        ("/a/*/**", ("a", "*", "**"), ""),
        ("/v1/{book}", ("v1", "*"), ""),
        ("/v1/{name=shelves/*/books/**}/cover:read", ("v1", "shelves", "*", "books", "**", "cover"), "read"),
        ("/{a}/{b=**}", ("*", "**"), ""),
    ],
)
def test_fields_are_what_they_stand_for(text: str, segments: tuple[str, ...], verb: str) -> None:
    assert read_template(text) == Template(segments=segments, verb=verb)


def found(path: str, *templates: str, method: str = "GET") -> str | None:
    """Templates are `METHOD /template`, or of any method."""
    pairs = [text.split(" ") if " " in text else ("*", text) for text in templates]
    at = Templates((name, read_template(text)) for name, text in pairs).find(method, path)
    return None if at is None else templates[at]


@pytest.mark.parametrize(
    ("path", "best"),
    [
        ("/pets", "/pets"),
        ("/pets/", "/pets"),
        ("/pets?limit=1/2", "/pets"),
        ("/pets/7", "/pets/{id}"),
        ("/pets/mine", "/pets/mine"),
        ("/pets/7/toys", "/pets/*/toys"),
        ("/pets/7/toys/1", "/pets/**"),
        ("/pets/7/8/photo", "/pets/**/photo"),
        ("/pets/7:feed", "/pets/{id}:feed"),
        ("/pets/7:pat", "/pets/{id}"),
        ("/", None),
        ("/petshop", None),
        ("", None),
    ],
)
def test_the_best_counts(path: str, best: str | None) -> None:
    templates = (
        "/pets/**",
        "/pets/**/photo",
        "/pets/*/toys",
        "/pets/{id}",
        "/pets/mine",
        "/pets",
        "/pets/{id}:feed",
        "/pets/other",
    )
    assert found(path, *templates) == best


def test_methods() -> None:
    templates = ("/a/{b}", "GET /a/{b}", "POST /a/x", "PUT /a/*")
    assert found("/a/x", *templates, method="GET") == "GET /a/{b}"
    assert found("/a/x", *templates, method="POST") == "POST /a/x"
    assert found("/a/y", *templates, method="POST") == "/a/{b}"
    assert found("/a/y", *templates, method="PUT") == "PUT /a/*"
    assert found("/a/y", "POST /a/*", method="GET") is None


def test_of_equal_ones_the_first_counts_and_stars_may_stand_for_nothing() -> None:
    assert found("/a/b", "/a/{x}", "/a/*") == "/a/{x}"
    assert found("/a", "/a/**", "/**") == "/a/**"
    assert found("/", "/**") == "/**"
    assert found("/a/b/c", "/{x=a/*}/c", "/**") == "/{x=a/*}/c"


WORDS = st.sampled_from(["a", "b", "c"])
VERBS = st.sampled_from(["", "", "v", "w"])


@st.composite
def templates(draw: st.DrawFn) -> Template:
    front = draw(st.lists(st.one_of(WORDS, st.just("*")), max_size=3))
    behind = ["**", *draw(st.lists(WORDS, max_size=2))] if draw(st.booleans()) else []
    return Template(segments=(*front, *behind), verb=draw(VERBS) if front or behind else "")


def fits(wanted: Sequence[str], segments: Sequence[str]) -> bool:
    if not wanted:
        return not segments
    if wanted[0] == "**":
        return any(fits(wanted[1:], segments[skipped:]) for skipped in range(len(segments) + 1))
    return bool(segments) and wanted[0] in ("*", segments[0]) and fits(wanted[1:], segments[1:])


def rank(template: Template) -> list[int]:
    """The end before all, a word before a star, a star before two."""
    if "**" in template.segments:
        at = template.segments.index("**")
        return [*(1 if each == "*" else 2 for each in template.segments[:at]), 0, len(template.segments) - at]
    return [*(1 if each == "*" else 2 for each in template.segments), 3]


@given(
    st.lists(st.tuples(st.sampled_from(["GET", "POST", "*"]), templates()), max_size=8),
    st.sampled_from(["GET", "POST"]),
    st.lists(WORDS, max_size=5),
    VERBS,
)
def test_it_is_the_best_of_all_that_fit(
    given_templates: list[tuple[str, Template]], method: str, words: list[str], verb: str
) -> None:
    suffix = f":{verb}" if verb and words else ""
    path = "/" + "/".join(words) + suffix
    candidates = []
    for index, (wanted, template) in enumerate(given_templates):
        if wanted not in (method, "*"):
            continue
        if template.verb:
            is_fit = suffix == f":{template.verb}" and fits(template.segments, words)
        else:
            is_fit = fits(template.segments, [*words[:-1], words[-1] + suffix] if words else [])
        if is_fit:
            candidates.append((bool(template.verb), rank(template), wanted == method, -index))
    best = -max(candidates)[3] if candidates else None
    assert Templates(given_templates).find(method, path) == best
