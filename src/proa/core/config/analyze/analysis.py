"""All checks over one world, with what users chose not to be told; over files, with old objects in today's form.

`proa analyze` is the caller. A message knows its object and a path; `told_of` finds the document, for objects of 2018
and of Gateway API by where the converted object came from.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from proa.core.config.analyze.code import Level
from proa.core.config.analyze.delegates import check_delegates
from proa.core.config.analyze.destinations import check_destinations
from proa.core.config.analyze.federation import check_federation
from proa.core.config.analyze.gateways import check_gateways
from proa.core.config.analyze.message import Message
from proa.core.config.analyze.mutual_tls import check_mutual_tls
from proa.core.config.analyze.owners import check_owners
from proa.core.config.analyze.patches import check_patches
from proa.core.config.analyze.roles import check_roles
from proa.core.config.analyze.routes import check_routes
from proa.core.config.analyze.selectors import check_selectors
from proa.core.config.analyze.world import World
from proa.core.config.batch import Written
from proa.core.config.config import Config
from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.today import is_api, read_derived
from proa.core.config.legacy.convert import convert
from proa.core.config.legacy.draft import Derived
from proa.core.config.legacy.today import is_old, read_back
from proa.core.config.path import path_text
from proa.core.model.names import ObjectRef

SUPPRESS: Final = "galley.istio.io/analyze-suppress"
_NAMED: Final = re.compile(r"\b([A-Z][A-Za-z]+)/([a-z0-9-]+)/([a-z0-9.-]*[a-z0-9])")
"""How an object stands in a text."""
_CHECKS: Final = (
    check_destinations,
    check_routes,
    check_delegates,
    check_owners,
    check_gateways,
    check_selectors,
    check_mutual_tls,
    check_roles,
    check_patches,
    check_federation,
)


Check = Callable[[World], Iterator[Message]]


class Told(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A message with its place. `path` is printed form; `istio` are Istio's codes for the same."""

    file: str
    line: int
    path: str
    code: str
    istio: tuple[str, ...]
    level: Level
    object: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.path}" if self.path else f"{self.file}:{self.line}"
        note = "" if self.level == "error" else f"{self.level}: "
        return f"{place}: {note}{self.message} [{', '.join((self.code, *self.istio))}]"


class Subjects(msgspec.Struct, frozen=True, kw_only=True):
    """What is analyzed: today's `configs`, those made of old objects among them, and where each was written."""

    configs: tuple[Config, ...]
    written: Mapping[ObjectRef, Written]
    derived: Mapping[ObjectRef, Derived]


def subjects_of(written: Iterable[Written]) -> Subjects:
    """Objects of 2018 and of Gateway API are converted all together; one that is written by the name of what comes of
    them stays, and that is left out."""
    by_ref = {each.config.ref: each for each in written}
    configs = [each.config for each in by_ref.values()]
    today = [config for config in configs if not is_old(config) and not is_api(config)]
    converted = convert(config for config in configs if is_old(config))
    derivation = derive(config for config in configs if is_api(config))
    made = [*converted.derived, *(each.derived for each in derivation.made)]
    read = [*read_back(converted).objects, *read_derived(derivation).objects]
    return Subjects(
        configs=(*today, *(each.config for each in read if each.config.ref not in by_ref)),
        written=by_ref,
        derived={each.ref: each for each in made if each.ref not in by_ref},
    )


def analyze(world: World, more: Iterable[Check] = ()) -> tuple[Message, ...]:
    """Each message once, without those that an object's annotation suppresses. `more` are checks of rooms above."""
    silent = {
        config.ref: _suppressed(config) for config in world.configs if SUPPRESS in config.meta.annotations
    }
    found = dict.fromkeys(message for check in (*_CHECKS, *more) for message in check(world))
    return tuple(message for message in found if not _is_silent(message, silent.get(message.about)))


def _suppressed(config: Config) -> frozenset[str]:
    return frozenset(word.strip() for word in config.meta.annotations[SUPPRESS].split(","))


def _is_silent(message: Message, words: frozenset[str] | None) -> bool:
    return words is not None and bool(words & {"*", message.code, *message.istio})


def told_of(messages: Iterable[Message], subjects: Subjects) -> tuple[Told, ...]:
    """In order of places."""
    return tuple(sorted({_told(message, subjects) for message in messages}))


def _told(message: Message, subjects: Subjects) -> Told:
    about, path = message.about, message.path
    made_of = subjects.derived.get(about)
    if made_of is not None:
        about, path = made_of.origin(path)
    document = subjects.written[about].document
    text = _by_what_was_written(message.text, subjects)
    placed = document.problem(path, message.code, text)
    return Told(
        file=document.file,
        line=placed.line,
        path=placed.path or path_text(path),
        code=message.code,
        istio=message.istio,
        level=message.level,
        object=str(about),
        message=text,
    )


def _by_what_was_written(text: str, subjects: Subjects) -> str:
    """A converted object that is named is no user's: beside it stands what it was made of."""

    def told(found: re.Match[str]) -> str:
        made = subjects.derived.get(ObjectRef(*found.groups()))
        return found[0] if made is None else f"{found[0]} (made of {', '.join(map(str, made.sources))})"

    return _NAMED.sub(told, text) if subjects.derived else text
