from pathlib import Path

from proa.cli.log_files import follow_file, last_lines


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log, 2)[0] == ""
    log.write_text("a\nb\nc\n")
    assert last_lines(log, 2)[0] == "b\nc\n"
    assert last_lines(log, 0)[0] == ""


def test_following_a_log_through_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("zero\n")
    following = follow_file(log, last_lines(log, 1)[1])
    with log.open("a") as file:
        file.write("one\n")
    assert next(following) == "one\n"
    with log.open("a") as file:
        file.write("two\n")
    assert next(following) == "two\n"
    log.rename(tmp_path / "log.1")
    log.write_text("three, longer than before\n")
    assert next(following) == "three, longer than before\n"
