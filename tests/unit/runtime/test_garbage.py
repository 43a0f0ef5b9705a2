import gc
import weakref

from proa.runtime.garbage import spare_what_stays


class Knot:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_spared_and_what_comes_after_is_collected() -> None:
    gone = weakref.ref(Knot())
    try:
        spare_what_stays()
        assert gone() is None, "first of all garbage goes"
        assert gc.get_freeze_count() > 0
        later = weakref.ref(Knot())
        gc.collect()
        assert later() is None
    finally:
        gc.unfreeze()
