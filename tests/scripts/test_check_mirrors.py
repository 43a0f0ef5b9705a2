"""The mirror check on small made-up trees."""

from pathlib import Path

import pytest

from scripts.check_mirrors import read_exclusions, unmirrored, unpaired, untested

FUNCTION = "def f() -> int:\n    return 1\n"
NONE: frozenset[str] = frozenset()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path, "src/proa/core/model/names.py", FUNCTION)
    write(tmp_path, "tests/unit/core/model/test_names.py", "")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_mirrored_tree_is_fine(tree: Path) -> None:
    assert list(untested(tree, NONE)) == []
    assert list(unmirrored(tree)) == []


def test_a_core_file_with_a_function_needs_its_test(tree: Path) -> None:
    write(tree, "src/proa/core/model/digest.py", FUNCTION)
    assert list(untested(tree, NONE)) == [
        "src/proa/core/model/digest.py: has no test; write tests/unit/core/model/test_digest.py"
    ]


def test_declarations_and_files_outside_core_need_none(tree: Path) -> None:
    write(tree, "src/proa/core/model/words.py", "A = 1\nclass B:\n    c: int\n    def d(self) -> int: ...\n")
    write(tree, "src/proa/cli/main.py", FUNCTION)
    assert list(untested(tree, NONE)) == []


def test_a_package_with_functions_is_tested_beside_its_folder(tree: Path) -> None:
    write(tree, "src/proa/core/config/__init__.py", FUNCTION)
    assert [line.split()[-1] for line in untested(tree, NONE)] == ["tests/unit/core/test_config.py"]
    write(tree, "tests/unit/core/test_config.py", "")
    assert list(untested(tree, NONE)) == []
    assert list(unmirrored(tree)) == []


def test_a_test_without_a_source_is_told(tree: Path) -> None:
    write(tree, "tests/unit/core/model/test_nothing.py", "")
    assert [line.split(":")[0] for line in unmirrored(tree)] == ["tests/unit/core/model/test_nothing.py"]


def test_an_exclusion_excuses_and_must_leave_when_it_excuses_nothing(tree: Path) -> None:
    write(tree, "src/proa/core/model/digest.py", FUNCTION)
    both = read_exclusions("# why\nsrc/proa/core/model/digest.py  # soon\n\nsrc/proa/core/model/names.py\n")
    assert list(untested(tree, both)) == [
        "scripts/mirror_exclusions.txt: src/proa/core/model/names.py is gone or has its test; take the line out"
    ]


def test_a_golden_file_needs_its_input(tree: Path) -> None:
    write(tree, "tests/golden/a.input.yaml", "")
    write(tree, "tests/golden/a.golden.json", "")
    write(tree, "tests/golden/b.golden.yaml", "")
    assert [line.split(":")[0] for line in unpaired(tree)] == ["tests/golden/b.golden.yaml"]
