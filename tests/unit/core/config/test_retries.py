from proa.core.config.retries import Retries, check_retries


def test_conditions_and_statuses() -> None:
    assert list(check_retries(Retries(attempts=1, retry_on="5xx,503"), ())) == []
    (found,) = check_retries(Retries(attempts=1, retry_on="5xy"), ("a",))
    assert (found.path, found.code) == (("a", "retryOn"), "bad-value")


def test_none_and_yet_how() -> None:
    assert [each.code for each in check_retries(Retries(retry_on="5xx"), ())] == ["conflict"]
    assert list(check_retries(Retries(), ())) == []
