from benchmarks.language import faults, measure, written
from proa.core.config import read_batch


def test_the_figures_of_a_small_mesh_are_sound() -> None:
    figures = measure(lambda _: None, virtual_services=4, services=4, pairs=5)

    assert [figure.figure for figure in figures] == ["read 4 VirtualServices", "analyze 8 objects"]
    assert all(figure.problems == () for figure in figures)


def test_what_is_analyzed_would_be_found_wrong_without_its_services() -> None:
    head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    form = head + "metadata: {{name: s{index}}}\nspec: {{host: x}}\n"
    batch = read_batch([("f", written(3, form))])
    assert batch.is_valid
    assert faults(batch, ()) == 3
