from proa.core.config.diff import diff


def test_equal_manifests_have_no_difference() -> None:
    assert diff({"a": 1}, {"a": 1}, "x") == ""
    assert diff(None, None, "x") == ""


def test_a_change_is_one_line_out_and_one_in() -> None:
    assert (
        diff({"a": 1, "b": 2}, {"a": 1, "b": 3}, "x")
        == "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n"
    )


def test_new_and_gone_objects() -> None:
    assert diff(None, {"a": 1}, "x") == "--- (absent)\n+++ x\n@@ -0,0 +1 @@\n+a: 1\n"
    assert diff({"a": 1}, None, "x") == "--- x\n+++ (absent)\n@@ -1 +0,0 @@\n-a: 1\n"
