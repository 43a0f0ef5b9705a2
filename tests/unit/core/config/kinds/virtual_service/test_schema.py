from proa.core.config.kinds.virtual_service.schema import Abort, Delay, Percent


def test_percentage_wins_over_percent_and_neither_is_none() -> None:
    assert Delay(fixed_delay=1, percent=10).share == 10.0
    assert Delay(fixed_delay=1, percent=10, percentage=Percent(value=0.5)).share == 0.5
    assert Delay(fixed_delay=1).share == 0.0
    assert Abort(http_status=500, percent=10).share == 10.0
    assert Abort(http_status=500, percentage=Percent()).share == 0.0
