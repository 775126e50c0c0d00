import contextlib
import os
import sqlite3
import time
from dataclasses import fields, replace

import pytest

from i2ibench.apps.study.answers import Answer, Collected, Participant
from i2ibench.apps.study.collect.answer_store import (
    ACTIVE_SECONDS,
    AnswerStore,
    ContinuedElsewhere,
    DiskFull,
    StoreFails,
    UnknownParticipant,
)
from i2ibench.apps.study.define.study import ANSWERS
from i2ibench.errors import UserError
from tests.damage import flipped
from tests.study_folder import write_study

LEFT = Answer(0, "left", 800.5)


class Clock:
    now = 1.8e9

    def __call__(self):
        return self.now


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(study, clock):
    with AnswerStore(study, clock) as store:
        yield store


def seated(store, simulated=False):
    """Return the session of a participant who has agreed."""
    new = store.enter()
    return store.consent(new.token, new.nonce, simulated)


def finish(store, session, num_trials=7):
    for trial in range(num_trials):
        receipt = store.answer(session.token, session.nonce, Answer(trial, "left", 900.0))
    return receipt


def test_nothing_is_stored_before_the_consent(store):
    new = store.enter()
    assert not new.consented
    with pytest.raises(UnknownParticipant):
        store.answer(new.token, new.nonce, LEFT)
    assert store.collected() == Collected([], {})
    assert store.consent(new.token, new.nonce).slot == 0
    (participant,) = store.collected().participants
    assert (participant.token, participant.begun) == (new.token, "2027-01-15")
    assert participant.consented and not participant.finished and not participant.simulated


def test_the_first_answer_to_a_trial_counts_and_a_second_is_acknowledged(store):
    session = seated(store)
    first = store.answer(session.token, session.nonce, LEFT)
    again = store.answer(session.token, session.nonce, replace(LEFT, choice="right"))
    assert (first.counted, again.counted) == (True, False)
    assert first.answered == again.answered == 1
    assert store.collected().answers == {session.token: [LEFT]}


def test_answers_are_kept_as_they_were_given(store, study):
    session = seated(store)
    full = Answer(3, "right", 1234.5, 133.4, 16.67, 1, 20.5, 1280, 720, 1.25, 2)
    store.answer(session.token, session.nonce, full)
    store.answer(session.token, session.nonce, LEFT)
    with AnswerStore(study) as other:
        assert other.collected().answers[session.token] == [LEFT, full]


def test_a_reload_continues_and_closes_the_older_window(store):
    old = seated(store)
    store.answer(old.token, old.nonce, LEFT)
    new = store.enter(old.token)
    assert (new.slot, new.answered) == (old.slot, [0]) and new.nonce != old.nonce
    with pytest.raises(ContinuedElsewhere, match="continued in another window"):
        store.answer(old.token, old.nonce, Answer(1, "left", 500.0))
    with pytest.raises(ContinuedElsewhere):
        store.consent(old.token, old.nonce)
    assert store.answer(new.token, new.nonce, Answer(1, "right", 500.0)).counted


def test_agreeing_twice_is_agreeing_once(store):
    new = store.enter()
    assert store.consent(new.token, new.nonce) == store.consent(new.token, new.nonce)
    assert len(store.collected().participants) == 1


def test_the_last_answer_brings_the_code_and_later_visits_only_that(store, study):
    session = seated(store)
    receipt = finish(store, session)
    assert receipt.finished and receipt.code == study.code(session.token)
    repeated = store.answer(session.token, session.nonce, LEFT)
    assert (repeated.counted, repeated.code) == (False, receipt.code)
    later = store.enter(session.token)
    assert later.finished and later.code == receipt.code
    assert store.collected().participants[0].finished


def test_new_participants_get_the_lowest_plan_that_nobody_needs(store, clock):
    sessions = [seated(store) for _ in range(4)]
    assert [s.slot for s in sessions] == [0, 1, 2, 3]
    finish(store, sessions[0])
    clock.now += ACTIVE_SECONDS / 2
    store.answer(sessions[2].token, sessions[2].nonce, LEFT)
    clock.now += ACTIVE_SECONDS / 2 + 1
    assert [seated(store).slot for _ in range(3)] == [1, 3, 4]
    assert store.forget(sessions[2].token)
    assert seated(store).slot == 2
    assert store.enter(sessions[1].token).slot == 1


def test_after_a_restart_those_are_active_who_come_back(store, study, clock):
    abandoned, reloaded, answering = (seated(store) for _ in range(3))
    store.answer(answering.token, answering.nonce, LEFT)
    with AnswerStore(study, clock) as later:
        assert later.enter(reloaded.token).slot == 1
        second = Answer(1, "left", 900.0)
        assert later.answer(answering.token, answering.nonce, second).answered == 2
        assert [seated(later).slot for _ in range(2)] == [0, 3]
        assert later.enter(abandoned.token).slot == 0
        with pytest.raises(ContinuedElsewhere):
            later.answer(reloaded.token, reloaded.nonce, LEFT)


def test_the_file_tells_no_time_of_a_day(store, study, clock):
    finish(store, seated(store))
    seated(store)
    with sqlite3.connect(study.folder / ANSWERS) as db:
        for table in ("participants", "answers"):
            values = [value for row in db.execute(f"SELECT * FROM {table}") for value in row]
            assert not [v for v in values if isinstance(v, int | float) and v > 1e6]
    db.close()


def test_simulated_participants_take_no_real_ones_plan(store):
    assert [seated(store, simulated).slot for simulated in (True, False, True)] == [0, 0, 1]


def test_a_forgotten_participant_leaves_no_trace_in_the_files(store, study):
    session, other = seated(store), seated(store)
    store.answer(session.token, session.nonce, LEFT)
    store.answer(other.token, other.nonce, LEFT)
    assert store.forget(session.token) and not store.forget(session.token)
    assert [p.token for p in store.collected().participants] == [other.token]
    assert list(store.collected().answers) == [other.token]
    assert store.erased and not on_disk(study, session.token)
    with pytest.raises(UnknownParticipant):
        store.answer(session.token, session.nonce, LEFT)
    assert not store.enter(session.token).consented


def test_readers_elsewhere_delay_only_the_erasing(study):
    with AnswerStore(study) as store, contextlib.closing(reader(study)) as other:
        session, staying = seated(store), seated(store)
        other.execute("BEGIN")
        other.execute("SELECT * FROM participants").fetchall()
        begun = time.perf_counter()
        assert store.forget(session.token) and not store.erased
        assert time.perf_counter() - begun < 10  # SQLite would wait for 20
        assert on_disk(study, session.token)
        assert [p.token for p in store.collected().participants] == [staying.token]
        other.execute("COMMIT")
        assert store.answer(staying.token, staying.nonce, LEFT).counted
        assert store.erased and not on_disk(study, session.token)


def test_what_a_killed_server_had_deleted_is_erased_by_the_next(study):
    with AnswerStore(study) as store, contextlib.closing(reader(study)) as other:
        session = seated(store)
        other.execute("BEGIN")
        other.execute("SELECT * FROM participants").fetchall()
        assert store.forget(session.token) and on_disk(study, session.token)
        other.execute("COMMIT")
        with AnswerStore(study) as later:
            assert later.erased and not on_disk(study, session.token)


def reader(study):
    return sqlite3.connect(study.folder / ANSWERS, isolation_level=None)


def on_disk(study, token):
    return any(token.encode() in p.read_bytes() for p in study.folder.glob(f"{ANSWERS}*"))


def test_imported_answers_count_once_and_contradictions_are_refused(store):
    someone = Participant("a" * 32, 7, consented=True, origin="one.json", code="CODE")
    file = Collected([someone], {someone.token: [LEFT]})
    assert (store.add(file), store.add(file)) == (1, 0)
    assert store.collected() == file
    stranger = replace(someone, token="b" * 32)
    other = Collected([stranger, someone], {someone.token: [replace(LEFT, choice="right")]})
    with pytest.raises(UserError, match=r"one.json: participant a{32} is there already"):
        store.add(other)
    assert store.collected() == file


def test_answers_of_another_study_are_not_mixed_with_these(store, study):
    other = replace(study, created="2026-11-24")
    with pytest.raises(UserError, match="another study.json"):
        AnswerStore(other)


def test_a_file_that_is_no_database_is_named(tmp_path):
    study = write_study(tmp_path)
    (tmp_path / ANSWERS).write_text("no database" * 100)
    with pytest.raises(UserError, match=r"answers.sqlite cannot be used: file is not a database"):
        AnswerStore(study)


def test_a_full_disk_refuses_answers_and_recovers(store, study):
    session = seated(store)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    kept = 0
    with pytest.raises(DiskFull, match="The disk is full, so .*answers.sqlite takes no answers"):
        for trial in range(10_000):
            store.answer(session.token, session.nonce, Answer(trial, "left", 900.0))
            kept += 1
    store._db.execute("PRAGMA max_page_count = 100000")
    assert len(store.collected().answers[session.token]) == kept
    assert store.answer(session.token, session.nonce, Answer(kept, "left", 900.0)).counted


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_no_other_user_of_the_machine_reads_answers(store, study):
    seated(store)
    files = list(study.folder.glob(f"{ANSWERS}*"))
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_what_is_wrong_with_the_file_is_told(store, study):
    session = seated(store)
    store._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(study.folder / ANSWERS, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFails, match=r"answers.sqlite cannot be used: database is locked"):
        store.answer(session.token, session.nonce, LEFT)
    other.close()
    assert store.answer(session.token, session.nonce, LEFT).counted


def test_a_folder_that_cannot_be_written_is_named(study):
    with pytest.raises(UserError, match=r"answers.sqlite cannot be used: .*No such file"):
        AnswerStore(replace(study, folder=study.folder / "gone"))


def test_no_column_could_hold_an_address_or_a_browser(store, study):
    seated(store)
    with sqlite3.connect(study.folder / ANSWERS) as db:
        columns = {row[1] for row in db.execute("PRAGMA table_info(participants)")}
    db.close()
    assert columns == {f.name for f in fields(Participant)}  # all of which an export shows


def test_a_flipped_bit_in_the_answers_is_refused_or_changes_nothing(study):
    with AnswerStore(study) as store:
        finish(store, seated(store))
        session = seated(store, simulated=True)
        store.answer(session.token, session.nonce, LEFT)
        true = store.collected()
    path = study.folder / ANSWERS
    refused = 0
    for changed in flipped(path.read_bytes(), times=250):
        path.write_bytes(changed)
        for beside in study.folder.glob(f"{ANSWERS}-*"):
            beside.unlink()
        try:
            with AnswerStore(study) as store:
                assert store.collected() == true
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 10, "most of the pages is unused"


def test_changed_and_missing_rows_are_refused(study):
    with AnswerStore(study) as store:
        finish(store, seated(store))
    path = study.folder / ANSWERS
    whole = path.read_bytes()
    for change in (
        "UPDATE answers SET choice = 'right' WHERE trial = 3",
        "UPDATE answers SET response_ms = 901 WHERE trial = 3",
        "UPDATE participants SET finished = 0",
        "UPDATE participants SET simulated = 1",
        "DELETE FROM answers WHERE trial = 3",
    ):
        with contextlib.closing(reader(study)) as db:
            db.execute(change)
        with pytest.raises(UserError, match=r"answers\.sqlite.*bring the file back from a copy"):
            AnswerStore(study)
        path.write_bytes(whole)


def test_answers_from_before_the_checksums_get_theirs(study):
    with AnswerStore(study) as store:
        finish(store, seated(store))
        true = store.collected()
    with contextlib.closing(reader(study)) as db:
        db.execute("DROP TABLE seals")
    with AnswerStore(study) as store:
        assert store.collected() == true
        finish(store, seated(store))
