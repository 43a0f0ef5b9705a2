"""Where a mesh keeps its things, and who may see them."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from proa.home import Home, HomeUnusable, checked_socket, find_home, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_two_homes_never_share_a_socket(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "one", tmp_path), Home(tmp_path / "other", tmp_path)
    assert one.node_socket != other.node_socket
    assert one == Home(str(tmp_path / "x" / ".." / "one"))


def test_preparing_makes_private_directories(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.prepare()
    home.prepare()
    for directory in (home.path, home.logs, home.node_dir, home.run_dir):
        assert mode(directory) == 0o700
    home.tidy()


def test_a_run_directory_goes_with_its_last_socket(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    run_dir = home.run_dir
    home.node_socket.touch()
    home.tidy()
    assert run_dir.exists()
    home.node_socket.unlink()
    home.tidy()
    home.tidy()
    assert not run_dir.exists()
    assert not (home.path / "run").is_symlink()


def test_processes_with_other_environments_meet(tmp_path: Path) -> None:
    short = Path("/tmp") / f"proa-test-{os.getpid()}"
    short.mkdir()
    try:
        first = Home(tmp_path / "home", short)
        first.prepare()
        assert first.run_dir.parent == short
        assert Home(tmp_path / "home").run_dir == first.run_dir
        first.run_dir.rmdir()
        assert Home(tmp_path / "home").run_dir.parent == Path("/tmp")
    finally:
        short.rmdir()


def test_a_long_runtime_directory_is_not_taken(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    assert Home(tmp_path, deep).run_dir.parent == Path("/tmp")


def test_a_run_directory_that_others_may_enter_is_narrowed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.run_dir.mkdir(mode=0o755)
    home.prepare()
    assert mode(home.run_dir) == 0o700
    home.tidy()


def test_a_run_directory_laid_by_somebody_else_is_refused(tmp_path: Path) -> None:
    home, elsewhere = Home(tmp_path / "home"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.run_dir.symlink_to(elsewhere)
    try:
        with pytest.raises(HomeUnusable):
            home.prepare()
    finally:
        home.run_dir.unlink()


def test_socket_paths_are_short_and_differ(tmp_path: Path) -> None:
    home = Home(tmp_path)
    long = "default/" + "a" * 60
    assert home.workload_socket(long + "1", "xds") != home.workload_socket(long + "2", "xds")
    assert len(os.fsencode(home.workload_socket(long, "admin"))) < 100
    with pytest.raises(HomeUnusable):
        checked_socket(Path("/" + "x" * 100))


def test_which_home_a_user_means(tmp_path: Path) -> None:
    environ = {"PROA_HOME": str(tmp_path / "env")}
    assert find_home(tmp_path / "told", environ).path == tmp_path / "told"
    assert find_home(None, environ).path == tmp_path / "env"
    assert find_home(None, {}).path == Path("~/.proa").expanduser()


def test_private_files_are_written_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_home_that_cannot_be_made_says_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match=r"file/home cannot be made: .*--home"):
        Home(tmp_path / "file" / "home").prepare()


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(path, "no file takes a directory's place")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    """A living one's is its own, and so is what only looks alike."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = tmp_path / "key"
    left = [tmp_path / f".key.{end}" for end in (gone.pid, os.getppid(), "old")]
    for each in left:
        each.write_text("half a")
    write_private(path, "a whole key")
    assert sorted(tmp_path.iterdir()) == sorted([path, *left[1:]])
