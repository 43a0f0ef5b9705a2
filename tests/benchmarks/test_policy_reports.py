import asyncio

from benchmarks.policy.reports import measure


def test_both_sides_count_the_same_and_the_figures_are_sound() -> None:
    figures = asyncio.run(measure(lambda _: None, items=20, pairs=5, sizes=(1, 20)))
    assert [figure.figure for figure in figures] == ["reports, messages of 1", "reports, messages of 20"]
    assert all(figure.problems == () for figure in figures)
