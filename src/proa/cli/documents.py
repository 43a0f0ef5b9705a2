"""Files named on the command line to texts with names. Reads; judges nothing but whether it could read."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from proa.cli.surroundings import Failure
from proa.servers.admin.operations import SourceFile

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"


def read_files(named: Iterable[str], more: Iterable[str]) -> tuple[SourceFile, ...]:
    """Every file once, in the order given; a directory's own files by name. Raises Failure."""
    paths = dict.fromkeys(path for word in (*named, *more) for path in _expand(word))
    return tuple(_read(path) for path in paths)


def _expand(word: str) -> Iterator[str]:
    path = Path(word)
    if word == STANDARD_INPUT or not path.is_dir():
        yield word
        return
    found = sorted(str(each) for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
    if not found:
        raise Failure(f"{word} holds no {', '.join('*' + suffix for suffix in SUFFIXES)}")
    yield from found


def _read(path: str) -> SourceFile:
    if path == STANDARD_INPUT:
        return SourceFile(name="<stdin>", text=sys.stdin.read())
    try:
        return SourceFile(name=path, text=Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: is not UTF-8 text (byte {error.start})") from None
