"""An explanation as lines for a terminal of 100 columns: who does what, indented; how it ends, last.

Lines are made of pieces with a tone, so that whoever prints them chooses colours, or none.
"""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final, Literal

import msgspec

from proa.core.pilot.explain.routes import percent
from proa.core.pilot.explain.story import Explanation, Hop, Step, Tone, Verdict

WIDTH: Final = 100
KIND_WIDTH: Final = 14
ROLES: Final = {"client": "the caller's sidecar", "gateway": "gateway", "server": "the server's sidecar"}

Style = Tone | Literal["title", "dim"]


class Piece(msgspec.Struct, frozen=True):
    text: str
    style: Style = "plain"


Line = tuple[Piece, ...]


def draw(explanation: Explanation) -> Iterator[Line]:
    for text in wrap(explanation.request, WIDTH, break_on_hyphens=False):
        yield (Piece(text, "title"),)
    for hop in explanation.hops:
        yield ()
        yield from _hop(hop)
    yield ()
    for verdict in explanation.verdicts:
        yield from _verdict(verdict, alone=len(explanation.verdicts) == 1)
    for remark in explanation.remarks:
        for text in wrap(f"note: {remark}", WIDTH, break_on_hyphens=False):
            yield (Piece(text, "warn"),)


def _hop(hop: Hop) -> Iterator[Line]:
    yield Piece(hop.proxy, "title"), Piece(f"  {ROLES[hop.role]}", "dim")
    for step in hop.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[Line]:
    kind = f"  {step.kind:<{KIND_WIDTH}}"
    indent = " " * len(kind)
    first, *rest = _wrapped(step.text, len(kind))
    yield Piece(kind, "dim"), Piece(first, step.tone)
    for text in rest:
        yield (Piece(indent + text, step.tone),)
    for detail in step.details:
        for number, text in enumerate(_wrapped(detail, len(kind) + 4)):
            yield (Piece(f"{indent}{'- ' if number == 0 else '    '}{text}"),)
    for cause in step.causes:
        for text in _wrapped(f"by {cause}", len(kind) + 2):
            yield (Piece(indent + text, "dim"),)
    if step.standing:
        for text in _wrapped(step.standing, len(kind)):
            yield (Piece(indent + text, "warn"),)


def _verdict(verdict: Verdict, *, alone: bool) -> Iterator[Line]:
    before = "" if alone else f"{percent(verdict.share / 100):>6}  "
    flags = f" (flags {','.join(verdict.flags)})" if verdict.flags else ""
    style: Style = "good" if verdict.end in ("arrives", "leaves") or 0 < verdict.status < 400 else "bad"
    first, *rest = _wrapped(verdict.text + flags, len(before) + 3)
    yield Piece(before, "dim"), Piece(f"=> {first}", style)
    for text in (*rest, *(line for advice in verdict.advice for line in _wrapped(advice, len(before) + 3))):
        yield (Piece(" " * (len(before) + 3) + text, style if text in rest else "plain"),)


def _wrapped(text: str, indent: int) -> list[str]:
    """Names stay whole where they can: they are copied from here."""
    return wrap(text, WIDTH - indent, break_on_hyphens=False) or [""]
