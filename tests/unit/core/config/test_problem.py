from proa.core.config.problem import Finding, Problem, warning


def test_a_problem_prints_place_message_and_code() -> None:
    assert (
        str(Problem("a.yaml", 3, "spec.host", "required", "add it"))
        == "a.yaml:3: spec.host: add it [required]"
    )


def test_the_path_of_a_whole_text_is_left_out() -> None:
    assert str(Problem("a.yaml", 3, "", "syntax", "broken")) == "a.yaml:3: broken [syntax]"


def test_a_warning_says_so() -> None:
    finding = warning(("spec",), "deprecated", "old")
    assert finding == Finding(("spec",), "deprecated", "old", "warning")
    assert str(Problem("a", 1, "", "deprecated", "old", finding.severity)) == "a:1: warning: old [deprecated]"


def test_problems_sort_by_place() -> None:
    first, second = Problem("a", 2, "x", "c", "m"), Problem("a", 10, "b", "c", "m")
    assert sorted([second, first]) == [first, second]
