"""Folder locks: one owner at a time, whoever asks, and none that a dead process keeps."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from i2ibench.errors import UserError
from i2ibench.io import folder_locks
from i2ibench.io.folder_locks import is_locked, lock_folder, lock_target, move_contents_aside

COUNT = """
import sys, time
from pathlib import Path
from i2ibench.io.folder_locks import lock_folder
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
time.sleep = lambda seconds: None  # ask again at once: the processes shall meet at the lock's end
counter, inside = folder / "counter", folder / "inside"
for _ in range(rounds):
    with lock_folder(folder, "counting", wait=True):
        inside.touch(exist_ok=False)  # fails if another process is in here
        counter.write_text(str(int(counter.read_text()) + 1))
        inside.unlink()
"""

HOLD = """
import sys, time
from pathlib import Path
from i2ibench.io.folder_locks import lock_folder
with lock_folder(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    time.sleep(60)
"""

FORK = """
import os, sys
from pathlib import Path
from i2ibench.io import folder_locks
from i2ibench.errors import UserError
from i2ibench.io.folder_locks import is_locked, lock_folder
folder, folder_locks.PATIENCE = Path(sys.argv[1]), 0.1
(tried, say_tried), (ended, say_ended) = os.pipe(), os.pipe()
with lock_folder(folder, "testing"):
    if os.fork() == 0:
        os.close(say_ended)
        try:
            with lock_folder(folder, "testing"):
                os.write(say_tried, b"owned")
        except UserError:
            os.write(say_tried, b"refused")
        os.read(ended, 1)  # lives on until its parent has ended
        os._exit(0)
    assert os.read(tried, 10) == b"refused", "the parent's lock is not the child's"
    assert is_locked(folder)
assert not is_locked(folder), "the child lives, and holds nothing"
"""


def start(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


@pytest.fixture
def holder(tmp_path):
    with start(HOLD, tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(folder_locks, "PATIENCE", 0.1)


def test_of_several_processes_one_is_inside_at_any_time(tmp_path):
    (tmp_path / "counter").write_text("0")
    processes = [start(COUNT, tmp_path, 150) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "counter").read_text() == "600"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"], "no lock is left behind"


def test_a_refusal_names_the_folder_the_machine_the_process_and_the_way_out(
    tmp_path, holder, hasty
):
    said = rf"{tmp_path} is in use: process {holder.pid} on {socket.gethostname()} has been holding"
    with (
        pytest.raises(UserError, match=said + r" there since \d{4}-.*or pass --output."),
        lock_folder(tmp_path, "testing", "pass --output"),
    ):
        pass


def test_a_killed_owner_lets_go(tmp_path, holder):
    assert is_locked(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not is_locked(tmp_path)
    with lock_folder(tmp_path, "testing"):
        assert is_locked(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_number_of_a_process_in_the_file_blocks_nobody(tmp_path):
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "purpose": "x", "since": "ever"}
    (tmp_path / folder_locks.NAME).write_text(json.dumps(owner))
    with lock_folder(tmp_path, "testing"):
        pass


def test_the_owner_may_own_again_and_another_thread_may_not(tmp_path, hasty):
    refused = []

    def other():
        try:
            with lock_folder(tmp_path, "intruding"):
                pass
        except UserError as error:
            refused.append(str(error))

    with lock_folder(tmp_path, "testing"), lock_folder(tmp_path / ".", "testing again"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused and f"process {os.getpid()}" in refused[0]
    assert not is_locked(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows starts processes anew")
def test_a_forked_child_neither_keeps_nor_frees_the_lock(tmp_path):
    assert start(FORK, tmp_path).wait() == 0


def test_a_program_that_the_owner_starts_does_not_keep_the_lock(tmp_path):
    with lock_folder(tmp_path, "testing"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_locked(tmp_path)
    child.communicate(b"\n")


def test_who_waits_gets_the_folder_when_its_owner_is_done(tmp_path, hasty, capsys):
    (tmp_path / "counter").write_text("0")
    with lock_folder(tmp_path, "testing"):
        waiting = start(COUNT, tmp_path, 1)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
    assert waiting.wait() == 0
    assert (tmp_path / "counter").read_text() == "1"


def test_the_name_of_a_file_to_be_written_is_owned_without_the_file(tmp_path, hasty):
    name = "层" * 80 + ".pth"  # 244 bytes: a lock named after it would be too long
    with lock_target(tmp_path / name, "testing"), lock_target(tmp_path / "other.pth", "testing"):
        assert not (tmp_path / name).exists()
        refused = []

        def other():
            try:
                with lock_target(tmp_path / name, "intruding"):
                    pass
            except UserError as error:
                refused.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert refused
    assert not list(tmp_path.iterdir())


def test_contents_are_moved_aside_under_the_lock_into_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_locks, "_now", lambda pattern: "then")  # twice in one second
    run = tmp_path / "run"
    for round_ in range(2):
        with lock_folder(run, "testing"):
            (run / "weights").write_text(str(round_))
            aside = move_contents_aside(run)
            assert is_locked(run)
        assert (aside / "weights").read_text() == str(round_)
        assert not run.exists(), "nothing was put into it"
    assert {p.name for p in tmp_path.iterdir()} == {"run.before-then", "run.before-then-2"}


def test_a_file_system_without_locks_is_named_and_used(tmp_path, monkeypatch, capsys):
    def none(descriptor, shared=False):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(folder_locks, "_lock", none)
    with lock_folder(tmp_path, "testing"):
        pass
    assert "cannot be locked (Function not implemented)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="file.*cannot be written"),
        lock_folder(Path(tmp_path / "file"), "testing"),
    ):
        pass
