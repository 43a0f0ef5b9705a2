from proa.core.mixer.refusals import LONGEST, code_name, http_status, refusal_text


def test_a_refusal_is_told_in_the_words_of_2018() -> None:
    assert (
        refusal_text(7, "no.denier.default:Not allowed") == "PERMISSION_DENIED:no.denier.default:Not allowed"
    )
    assert refusal_text(8, "a") == "RESOURCE_EXHAUSTED:a"
    assert [http_status(code) for code in (0, 3, 5, 7, 8, 13, 14, 16)] == [
        200,
        400,
        404,
        403,
        429,
        500,
        503,
        401,
    ]


def test_a_status_that_nobody_knows_is_an_error() -> None:
    assert (http_status(4711), http_status(-1)) == (500, 500)
    assert refusal_text(4711, "a") == "UNKNOWN:a"
    assert (code_name(7), code_name(4711)) == ("PERMISSION_DENIED", "UNKNOWN")


def test_a_long_text_is_cut_between_two_letters() -> None:
    text = refusal_text(7, "é" * LONGEST)
    assert LONGEST - 1 <= len(text.encode()) <= LONGEST
    assert set(text.removeprefix("PERMISSION_DENIED:")) == {"é"}
