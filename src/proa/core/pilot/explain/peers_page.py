"""A report of two peers as lines of text, at most 100 columns wide: a table, and below it who decides."""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Final

from proa.core.pilot.explain.page import Line, Piece, Style
from proa.core.pilot.explain.peers import PeerReport, PeerRow
from proa.core.pilot.explain.story import Cause

WIDTH: Final = 100
HEAD: Final = ("PORT", "SERVERS", "CLIENT SENDS", "SERVER TAKES", "RESULT")
TAKES: Final = {"NONE": "no sidecar"}
LONGEST_NAME: Final = 32


def draw_peers(report: PeerReport) -> Iterator[Line]:
    """Each line as pieces with a style."""
    yield (_title(_cut(f"{report.source} -> {report.host}", WIDTH)),)
    if report.rows:
        yield ()
        table = [_cells(row) for row in report.rows]
        widths = [max(len(line[index]) for line in (HEAD, *table)) for index in range(len(HEAD))]
        yield (_title(_line(HEAD, widths)),)
        for row, cells in zip(report.rows, table, strict=True):
            yield Piece(_line((*cells[:-1], "x"), widths)[:-1]), Piece(cells[-1], _tone(row))
            yield from _below(row)
    for remark in report.remarks:
        yield from _wrapped("note: ", remark)


def _title(text: str) -> Piece:
    return Piece(text, "title")


def _cells(row: PeerRow) -> tuple[str, ...]:
    first, *others = row.servers
    more = f" and {len(others)} more" if others else ""
    name = _cut(first, LONGEST_NAME - len(more)) + more
    port = f"{row.port or 'any'}" + (f" {_cut(row.subset, 12)}" if row.subset else "")
    return port, name, row.wire or "nothing", TAKES.get(row.mode, row.mode), row.result


def _line(cells: Iterable[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()


def _tone(row: PeerRow) -> Style:
    if row.result == "refused":
        return "bad"
    return "good" if row.result == "mutual TLS" else "warn"


def _below(row: PeerRow) -> Iterator[Line]:
    if row.why is not None:
        yield from _wrapped("      why: ", row.why)
    yield from _wrapped("      client: ", _who(row.client, row.client_by))
    yield from _wrapped("      server: ", _who(row.server, row.server_by))
    if row.refused:
        yield from _wrapped("      refuses: ", ", ".join(row.refused))
    for each in row.standing:
        yield from _wrapped("      now: ", each)


def _who(causes: tuple[Cause, ...], words: str) -> str:
    return ", made of ".join(str(each) for each in causes) or words


def _wrapped(lead: str, text: str) -> Iterator[Line]:
    for number, line in enumerate(wrap(text, WIDTH - len(lead), break_on_hyphens=False) or [""]):
        yield (Piece((lead if not number else " " * len(lead)) + line, "plain" if not number else "dim"),)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
