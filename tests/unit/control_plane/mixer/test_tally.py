from proa.control_plane.mixer.tally import BUCKETS, Tally


def test_calls_are_counted_by_how_they_ended_and_how_long_they_took() -> None:
    tally = Tally()
    for outcome, seconds in (("answered", 0.0005), ("answered", 0.02), ("late", 3600.0)):
        tally.note(outcome, seconds)  # type: ignore[arg-type]
    assert dict(tally.outcomes) == {"answered": 2, "late": 1}
    assert tally.seconds == 3600.0205
    assert tally.by_bucket[0] == 1, "the end of a bucket is in it"
    assert tally.by_bucket[BUCKETS.index(0.025)] == 1
    assert tally.by_bucket[-1] == 1
