"""Checks that tests mirror the sources by name, so that the test of any file is found without searching.

Two rules. Every file of src/proa/core that has a function in it has its test: core/x/y.py ->
tests/unit/core/x/test_y.py. And every test file below tests/unit belongs to a source file or package of that
name. Files that still lack their test stand in mirror_exclusions.txt; that list can only shrink: an entry whose
file is gone or has its test by now is an error too. Called by scripts/check.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXCLUSIONS = "scripts/mirror_exclusions.txt"


def main() -> int:
    exclusions = read_exclusions((REPOSITORY / EXCLUSIONS).read_text())
    found = [*untested(REPOSITORY, exclusions), *unmirrored(REPOSITORY), *unpaired(REPOSITORY)]
    for line in found:
        print(line)
    return 1 if found else 0


def read_exclusions(text: str) -> frozenset[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def untested(root: Path, exclusions: frozenset[str]) -> Iterator[str]:
    """One line per core file that wants a test, and per exclusion that is no longer needed."""
    needed = set()
    for source in sorted((root / "src/proa/core").rglob("*.py")):
        name = str(source.relative_to(root))
        if not has_function(source.read_text()) or test_of(root, source).exists():
            continue
        needed.add(name)
        if name not in exclusions:
            yield f"{name}: has no test; write {test_of(root, source).relative_to(root)}"
    for name in sorted(exclusions - needed):
        yield f"{EXCLUSIONS}: {name} is gone or has its test; take the line out"


def has_function(text: str) -> bool:
    """Only a function with a body can be wrong in a way a unit test sees. Declarations, and the methods of a
    Protocol, which are a docstring or `...`, have no test of their own."""
    functions = (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return any(not all(map(says_nothing, function.body)) for function in functions)


def says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_of(root: Path, source: Path) -> Path:
    """core/x/y.py -> tests/unit/core/x/test_y.py; a package's __init__.py -> tests/unit/core/test_x.py."""
    inside = source.relative_to(root / "src/proa")
    named = inside.parent if inside.name == "__init__.py" else inside.with_suffix("")
    return root / "tests/unit" / named.parent / f"test_{named.name}.py"


def unmirrored(root: Path) -> Iterator[str]:
    for test in sorted((root / "tests/unit").rglob("test_*.py")):
        inside = test.relative_to(root / "tests/unit")
        source = root / "src/proa" / inside.parent / inside.stem.removeprefix("test_")
        if not source.with_suffix(".py").exists() and not (source / "__init__.py").exists():
            yield f"{test.relative_to(root)}: mirrors no file; there is no {source.relative_to(root)}.py"


def unpaired(root: Path) -> Iterator[str]:
    """Golden files that no input stands beside: left over from a case that was renamed or deleted."""
    for golden in sorted((root / "tests").rglob("*.golden.*")):
        case = golden.name.partition(".golden.")[0]
        if not any(golden.parent.glob(f"{case}.input.*")):
            yield f"{golden.relative_to(root)}: no {case}.input.* beside it"


if __name__ == "__main__":
    sys.exit(main())
