import msgspec

from proa.adapters.policy.prometheus.definitions import Definition
from proa.adapters.policy.prometheus.stock import Stock

ONE = Definition(name="one", help="one", type="counter", labels=("app",))
WIDER = msgspec.structs.replace(ONE, labels=("app", "code"))
TWO = Definition(name="two", help="two", type="gauge", labels=())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(stock: Stock) -> list[str]:
    return [line for piece in stock.text() for line in piece.splitlines() if not line.startswith("#")]


def test_who_defines_the_same_counts_together_and_the_next_goes_on() -> None:
    stock = Stock(clock=Clock())
    old, new = stock.use(ONE), stock.use(ONE)
    other = stock.use(TWO)
    for each in (old, new, old):
        each.family.add(("a",), 1, 0)
    other.family.add((), 7, 0)
    stock.leave(old)
    new.family.add(("a",), 1, 0)
    assert shown(stock) == ['one{app="a"} 4', "two 7"]


def test_of_two_definitions_the_last_is_shown() -> None:
    stock = Stock(clock=Clock())
    old = stock.use(ONE)
    old.family.add(("a",), 1, 0)
    new = stock.use(WIDER)
    new.family.add(("a", "200"), 1, 0)
    assert shown(stock) == ['one{app="a",code="200"} 1']
    stock.leave(new)
    assert shown(stock) == ['one{app="a"} 1']
    stock.leave(old)
    assert shown(stock) == ['one{app="a",code="200"} 1']


def test_what_is_left_stays_for_a_while_and_can_be_gone_on_with() -> None:
    clock = Clock()
    stock = Stock(clock=clock, left_s=300)
    for now in (0.0, 299.0):
        clock.now = now
        used = stock.use(ONE)
        used.family.add(("a",), 1, now)
        stock.leave(used)
    clock.now = 598.0
    assert shown(stock) == ['one{app="a"} 2']
    clock.now = 599.0
    assert shown(stock) == []
    assert stock.use(ONE).family is not used.family


def test_series_expire_when_somebody_looks() -> None:
    clock = Clock()
    stock = Stock(clock=clock)
    used = stock.use(ONE)
    used.family.expiry_s = 10
    used.family.add(("a",), 1, 0)
    clock.now = 9
    assert shown(stock) == ['one{app="a"} 1']
    clock.now = 10
    assert shown(stock) == []
