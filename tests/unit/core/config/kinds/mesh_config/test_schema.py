from pathlib import Path

from proa.core.config import load_all


def test_the_page_of_the_docs_is_valid() -> None:
    page = (Path(__file__).parents[6] / "docs/mesh-config.md").read_text()
    examples = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    assert examples
    for example in examples:
        assert load_all(example, "page").problems == ()
