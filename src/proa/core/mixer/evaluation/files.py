"""What files say of attributes: which there are (manifests), and which values they have (a bag).

Three forms of manifests: objects of kind attributemanifest, which extend the standard vocabulary; one mapping of
names to types, which is the whole vocabulary; several such mappings, each with a name. All are YAML or JSON.
"""

import msgspec

from proa.core.attributes.manifests import Manifest, extend
from proa.core.attributes.value_texts import read_value
from proa.core.attributes.value_types import Value, ValueType
from proa.core.attributes.vocabulary import STANDARD, Vocabulary, vocabulary_of
from proa.core.config.document import Document, parse
from proa.core.config.path import Path
from proa.core.config.problem import Problem
from proa.core.config.tree import Json, shorten, type_name

_TYPES = ", ".join(each.name for each in ValueType)


class Vocabularies(msgspec.Struct, frozen=True):
    """`by_name`: those of a file of several. `alone`: the one that the file is, or extends the standard one to."""

    by_name: dict[str, Vocabulary]
    alone: Vocabulary | None


def read_manifests(text: str, file: str) -> Vocabularies | tuple[Problem, ...]:
    parsed = parse(text, file)
    problems = [*parsed.problems, *(each for document in parsed.documents for each in document.problems)]
    if not problems and not parsed.documents:
        problems.append(Problem(file, 1, "", "required", "no attributes are declared here; write name: TYPE"))
    if any("kind" in document.value for document in parsed.documents):
        found = _extended(parsed.documents, problems)
    else:
        found = _mappings(parsed.documents, problems)
    return tuple(sorted(problems)) if problems else found


def _extended(documents: tuple[Document, ...], problems: list[Problem]) -> Vocabularies:
    manifests: list[Manifest] = []
    places: dict[str, Document] = {}
    for number, document in enumerate(documents):
        if document.value.get("kind") != "attributemanifest":
            message = "this is no attributemanifest; give a file of them alone"
            problems.append(document.problem(("kind",), "bad-value", message))
            continue
        spec = document.value.get("spec")
        attributes = spec.get("attributes") if isinstance(spec, dict) else None
        name = _name_of(document, number)
        places[name] = document
        types = {
            attribute: value_type
            for attribute, info in (attributes if isinstance(attributes, dict) else {}).items()
            if (value_type := _declared(document, attribute, info, problems)) is not None
        }
        manifests.append(Manifest(name, types))
    extended = extend(STANDARD, manifests)
    for conflict in extended.conflicts:
        at = ("spec", "attributes", conflict.attribute)
        problems.append(places[conflict.manifest].problem(at, "conflict", f"{conflict}; rename one"))
    return Vocabularies({}, extended.vocabulary)


def _name_of(document: Document, number: int) -> str:
    meta = document.value.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    namespace = meta.get("namespace") if isinstance(meta, dict) else None
    return f"{namespace or 'default'}/{name}" if isinstance(name, str) else f"document {number + 1}"


def _declared(document: Document, attribute: str, info: Json, problems: list[Problem]) -> ValueType | None:
    """Users wrote `valueType` and `value_type`."""
    written = (info.get("valueType") or info.get("value_type")) if isinstance(info, dict) else None
    return _type(document, written, ("spec", "attributes", attribute), problems)


def _mappings(documents: tuple[Document, ...], problems: list[Problem]) -> Vocabularies:
    by_name: dict[str, Vocabulary] = {}
    alone: dict[str, ValueType] = {}
    for document in documents:
        for name, content in document.value.items():
            if not isinstance(content, dict):
                if (value_type := _type(document, content, (name,), problems)) is not None:
                    alone[name] = value_type
                continue
            types = {
                attribute: value_type
                for attribute, written in content.items()
                if (value_type := _type(document, written, (name, attribute), problems)) is not None
            }
            by_name[name] = vocabulary_of(types)
    return Vocabularies(by_name, vocabulary_of(alone) if alone or not by_name else None)


def _type(document: Document, written: Json, at: Path, problems: list[Problem]) -> ValueType | None:
    if isinstance(written, str) and written in ValueType.__members__:
        return ValueType[written]
    shown = f'"{shorten(written)}"' if isinstance(written, str) else type_name(written)
    problems.append(document.problem(at, "bad-value", f"{shown} is no type; write one of {_TYPES}"))
    return None


def read_bag(text: str, file: str, vocabulary: Vocabulary) -> dict[str, Value] | tuple[Problem, ...]:
    """One mapping: `name: value`, of the type that the vocabulary gives, or `name: [TYPE, value]`, of any."""
    parsed = parse(text, file)
    problems = [*parsed.problems, *(each for document in parsed.documents for each in document.problems)]
    bag: dict[str, Value] = {}
    for document in parsed.documents:
        for name, written in document.value.items():
            found = _value(document, name, written, vocabulary)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                bag[name] = found
    return tuple(sorted(problems)) if problems else bag


def _value(document: Document, name: str, written: Json, vocabulary: Vocabulary) -> Value | Problem:
    try:
        if isinstance(written, list):
            return typed_value(written)
        value_type = vocabulary.type_of(name)
        if value_type is None:
            message = f'there is no attribute "{shorten(name)}"; declare it, or write [TYPE, value]'
            return document.problem((name,), "bad-value", message)
        return read_value(written, value_type)
    except ValueError as error:
        return document.problem((name,), "bad-value", f"not a value: {error}")


def typed_value(written: object) -> Value:
    """Of `[TYPE, value]`. Raises ValueError."""
    match written:
        case [str(name), value] if name in ValueType.__members__:
            return read_value(value, ValueType[name])
        case _:
            raise ValueError(f"expected [TYPE, value], TYPE being one of {_TYPES}")
