"""The support table as a page of the docs. A test holds docs/compat.md to it."""

from collections.abc import Iterable, Iterator

from proa.core.config.compat.support import MEANINGS, KindSupport


def page(kinds: Iterable[KindSupport]) -> str:
    """Markdown."""
    return "\n".join(_lines(tuple(kinds)))


def _lines(kinds: tuple[KindSupport, ...]) -> Iterator[str]:
    yield "# What of Istio's API Proa does"
    yield ""
    yield "Made by `proa compat -o markdown` from the table that also reads your files; a test keeps this page current."
    yield "A field that Proa does not serve is never passed over in silence: it is refused with file, line and path."
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield from (f"| **{word}** | {meaning} |" for word, meaning in MEANINGS.items())
    yield ""
    yield "## Kinds"
    yield ""
    yield "| kind | versions | | fields | in effect | read only | not yet |"
    yield "|---|---|---|---|---|---|---|"
    for kind in kinds:
        counts = (
            len(kind.fields),
            kind.count("supported", "in part", "accepted"),
            kind.count("read only"),
            kind.count("not yet"),
        )
        numbers = " | ".join(map(str, counts))
        yield f"| {kind.group} {kind.kind} | {', '.join(kind.versions)} | {kind.support} | {numbers} |"
    for kind in kinds:
        if not kind.fields:
            continue
        yield ""
        yield f"## {kind.kind} ({kind.group})"
        yield ""
        if len({(each.support, each.note) for each in kind.fields}) == 1:
            names = ", ".join(f"`{each.field}`" for each in kind.fields)
            why = f" ({kind.fields[0].note})" if kind.fields[0].note else ""
            yield f"All fields **{kind.fields[0].support}**{why}: {names}."
            continue
        yield "| field | | |"
        yield "|---|---|---|"
        yield from (f"| `{each.field}` | {each.support} | {each.note} |" for each in kind.fields)
    yield ""
