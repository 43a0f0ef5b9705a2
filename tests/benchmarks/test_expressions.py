from benchmarks.expressions import measure


def test_both_sides_find_the_same_and_the_figures_are_sound() -> None:
    figures = measure(lambda _: None, times=20, pairs=5)
    assert [figure.figure for figure in figures] == ["evaluations", "evaluations with references"]
    assert all(figure.problems == () for figure in figures)
