"""The study's page works in a real browser: whole sessions, and all that interrupts them."""

import csv
import json
import re
import sqlite3
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from i2ibench.apps.study.collect.answer_files import MTURK_COLUMN, read_collected
from i2ibench.apps.study.collect.answer_store import AnswerStore
from i2ibench.apps.study.collect.mturk_export import CONTROLS_HEIGHT
from i2ibench.apps.study.collect.static_page import STATIC, export_page
from tests.integration.editor_driver import wait_until
from tests.integration.study_driver import (
    END,
    STATE,
    answer,
    begin,
    count,
    resume,
    served,
    to_the_end,
    token_of,
)
from tests.study_folder import write_study

SMALL = {"per_pair": 1, "repeats": 0, "catch": 1, "practice": 1}
WINDOW = {"width": 900, "height": 700}
TINY = {"width": 120, "height": 300}


@pytest.fixture
def context(browser):
    """Yield a participant's browser; errors in its console fail the test."""
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(20000)
    errors = []
    context.on("console", lambda message: message.type == "error" and errors.append(message.text))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    expected = ("net::ERR", "status of 4", "status of 507")
    assert [text for text in errors if not any(words in text for words in expected)] == []


@pytest.fixture
def page(context):
    return context.new_page()


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study", **SMALL)


@pytest.fixture
def url(study):
    with served(study) as url:
        yield url


def stored(study):
    with AnswerStore(study) as store:
        return store.collected()


def own_answers(page, study):
    return stored(study).answers[token_of(page, study)]


def test_a_whole_session_by_mouse(page, study, url):
    page.goto(url)
    page.get_by_text("No name, no network address").wait_for()
    assert stored(study).participants == []
    begin(page)
    choices = []

    def click(page):
        choices.append("left" if len(choices) % 2 else "right")
        place = "#pair" if len(choices) % 3 else "#choices"
        page.locator(f'{place} [data-choice="{choices[-1]}"]').click()

    to_the_end(page, click)
    answers = own_answers(page, study)
    assert [a.choice for a in answers] == choices
    assert [a.trial for a in answers] == list(range(study.design.num_trials))
    for a in answers:
        assert a.shown_ms is None and 0 < a.response_ms < 20000 and 5 < a.frame_ms < 100
        assert (a.width, a.height, a.zoom, a.unfocused_ms) == (900, 700, 1, 0)
    (participant,) = stored(study).participants
    assert participant.finished
    assert page.locator("output").inner_text() == study.code(participant.token)
    assert page.locator("#screen .number code").inner_text() == participant.token
    page.reload()
    page.get_by_role("heading", name=END).wait_for()
    page.get_by_role("button", name="Delete my answers…").click()
    page.get_by_role("button", name="Delete my answers", exact=True).click()
    page.get_by_role("heading", name="Your answers are deleted").wait_for()
    assert stored(study).participants == []


TOO_EARLY = """(() => {
    const press = () => document.body.dispatchEvent(
        new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    new MutationObserver(press).observe(
        document.getElementById("cross"), { attributeFilter: ["style"] });
})()"""
"""Presses a key when the cross comes, and when the images take its place."""


def uppermost(page, side):
    """Return the class of the element that is visible in the middle of an image's place."""
    return page.evaluate(
        """(side) => {
            const place = document.querySelector(`#pair [data-choice="${side}"]`);
            const box = place.getBoundingClientRect();
            const middle = [box.x + box.width / 2, box.y + box.height / 2];
            return document.elementFromPoint(...middle).className;
        }""",
        side,
    )


def test_a_whole_limited_session_by_keyboard(page, tmp_path):
    study = write_study(tmp_path, durations=(0.125, 0.25), ties=True, **SMALL)
    with served(study) as url:
        begin(page, url)
        assert [uppermost(page, side) for side in ("left", "right")] == ["noise", "noise"]
        page.evaluate(TOO_EARLY)
        to_the_end(page, lambda page: page.keyboard.press("ArrowDown"))
        answers, plan = own_answers(page, study), study.plan(0)
    assert [a.choice for a in answers] == ["tie"] * study.design.num_trials
    right = 0
    for trial, a in zip(plan, answers, strict=True):
        frame, error = a.frame_ms, a.shown_ms - 1000 * trial.duration
        # to the nearest frame; what did not come in time makes it later, by as many as are counted
        assert -max(20, frame) <= error <= max(20, frame * (1.5 + a.dropped))
        right += abs(error) <= max(20, frame / 2)
        assert a.response_ms >= a.shown_ms
    assert right >= len(plan) / 2, [(a.shown_ms, a.frame_ms, a.dropped) for a in answers]


def test_both_images_are_shown_at_one_size_and_with_their_own_pixels(page, study, url):
    begin(page, url)
    trial = study.plan(0)[0]
    for side, method in (("left", trial.left), ("right", trial.right)):
        canvas = page.locator(f'#pair [data-choice="{side}"] canvas.shown')
        box = canvas.bounding_box()
        assert (box["width"], box["height"]) == study.size
        pixel = canvas.evaluate("c => [...c.getContext('2d').getImageData(63, 5, 1, 1).data]")
        shades = {"pix2pix": 40, "crn": 90, "real": 140, "degraded": 190}
        assert pixel[0] == shades[method]


def test_a_reload_goes_on_where_the_participant_was(context, page, study, url):
    begin(page, url)
    answer(page)
    context.route("**/api/answer", lambda route: route.abort())
    answer(page)
    where, token = count(page), token_of(page, study)
    page.on("dialog", lambda dialog: dialog.accept())
    context.unroute("**/api/answer")
    page.reload()
    page.get_by_text("Welcome back: 2 of 4").wait_for()
    resume(page)
    assert count(page) == where and token_of(page, study) == token
    to_the_end(page)
    assert len(stored(study).participants) == 1
    assert [a.trial for a in own_answers(page, study)] == [0, 1, 2, 3]


def test_leaving_keeps_or_deletes_and_another_participant_may_begin(page, study, url):
    begin(page, url)
    answer(page)
    page.get_by_role("button", name="Leave…").click()
    assert page.locator("#leaving code").inner_text() == token_of(page, study)
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Go on later").click()
    page.get_by_role("button", name="Go on now").click()
    page.get_by_text("Welcome back: 1 of 4").wait_for()
    begin(page, f"{url}?new")
    assert page.evaluate("location.search") == ""
    assert [len(a) for a in stored(study).answers.values()] == [1, 0]
    page.get_by_role("button", name="Leave…").click()
    page.get_by_role("button", name="Leave and delete").click()
    page.get_by_role("heading", name="Your answers are deleted").wait_for()
    assert [len(a) for a in stored(study).answers.values()] == [1]


def test_an_older_window_is_told_where_the_session_goes_on(context, page, study, url):
    begin(page, url)
    answer(page)
    other = context.new_page()
    other.goto(url)
    resume(other)
    answer(other)
    page.bring_to_front()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="Continued in another window").wait_for()
    assert [a.choice for a in own_answers(page, study)] == ["right", "right"]
    page.get_by_role("button", name="Go on here").click()
    resume(page)
    to_the_end(page)
    assert len(own_answers(page, study)) == 4


def test_without_a_connection_answers_wait_and_arrive_once(context, page, study, url):
    begin(page, url)
    answer(page)
    context.set_offline(True)
    answer(page)
    answer(page)
    page.get_by_text("Your answers are kept in this browser").wait_for()
    assert len(own_answers(page, study)) == 1
    context.set_offline(False)
    to_the_end(page)
    assert page.locator("#notices").inner_text() == ""
    assert [a.trial for a in own_answers(page, study)] == [0, 1, 2, 3]


def test_a_full_disk_is_told_and_the_answers_arrive_when_there_is_room(
    page, study, url, monkeypatch
):
    begin(page, url)
    answer(page)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("i2ibench.apps.study.collect.answer_store.insert_answers", full)
        answer(page)
        page.get_by_text("The disk is full: the study's server").wait_for()
        assert "answers are kept in this browser" in page.locator("#notices").inner_text()
        answer(page)
        assert len(own_answers(page, study)) == 1
    to_the_end(page)
    assert page.locator("#notices").inner_text() == ""
    assert [a.trial for a in own_answers(page, study)] == [0, 1, 2, 3]


def test_an_answer_whose_receipt_was_lost_counts_once(context, page, study, url):
    begin(page, url)
    lost = []

    def lose(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch())
            route.abort()

    context.route("**/api/answer", lose)
    to_the_end(page)
    assert lost[0].json()["counted"] and len(own_answers(page, study)) == 4


def choices_of(study):
    return [[a.choice for a in answers] for answers in stored(study).answers.values()]


def test_answers_that_something_on_the_way_refuses_are_kept_and_sent_again(page, study, url):
    begin(page, url)
    refusals = [429, 403]

    def refuse(route):
        if refusals:
            route.fulfill(status=refusals.pop(0), body="<h1>Not now</h1>")
        else:
            route.continue_()

    page.route("**/api/answer", refuse)
    page.keyboard.press("ArrowRight")
    page.locator("#feedback button").click()
    page.get_by_role("heading", name="The study stopped").wait_for()
    assert refusals == [] and choices_of(study) == [[]]
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("Welcome back: 1 of 4").wait_for()
    assert choices_of(study) == [["right"]]


def test_whoever_agreed_in_another_window_goes_on_there(context, page, study, url):
    page.goto(url)
    other = context.new_page()
    other.goto(url)
    other.get_by_role("button", name="I agree").wait_for()
    page.bring_to_front()
    begin(page)
    page.route("**/api/answer", lambda route: route.abort())
    answer(page)
    answer(page)
    other.bring_to_front()
    begin(other)
    assert count(other) == "3 of 4"
    answer(other, lambda page: page.keyboard.press("ArrowLeft"))
    assert choices_of(study) == [["right", "right", "left"]]


def test_each_participants_answers_arrive_under_their_own_number(context, page, study, url):
    begin(page, url)
    page.route("**/api/answer", lambda route: route.abort())
    answer(page)
    answer(page)
    other = context.new_page()
    begin(other, f"{url}?new")
    answer(other, lambda page: page.keyboard.press("ArrowLeft"))
    assert choices_of(study) == [["right", "right"], ["left"]]
    page.bring_to_front()
    page.unroute("**/api/answer")
    page.evaluate("window.dispatchEvent(new Event('online'))")  # waits no longer
    to_the_end(page)
    assert choices_of(study) == [["right"] * 4, ["left"]]


TIMED = {**SMALL, "practice": 0, "durations": (0.1,)}
CROSS = "document.getElementById('cross').style.visibility === 'visible'"


def test_pairs_that_a_reload_shows_again_are_marked(page, tmp_path):
    study = write_study(tmp_path, **TIMED)
    with served(study) as url:
        begin(page, url)
        page.reload()
        resume(page)
        answer(page)
        answer(page)
        assert [a.showings for a in own_answers(page, study)] == [2, 1]


AWAY_AND_BACK = """() => new Promise((resolve) => {
    const cross = document.getElementById("cross");
    const frame = window.requestAnimationFrame;
    let hidden = true;
    let waiting = [];
    window.requestAnimationFrame = (f) => (hidden ? waiting.push(f) : frame(f));
    Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    setTimeout(() => {
        hidden = false;
        document.dispatchEvent(new Event("visibilitychange"));
        const back = performance.now();
        new MutationObserver(() => resolve(performance.now() - back)).observe(
            cross, { attributeFilter: ["style"] });
        for (const f of waiting) frame(f);
    }, 700);
})"""
"""Hides the page as another tab does: no frames come. Returns how long the cross was visible."""


def test_the_cross_is_shown_anew_to_whoever_looked_away_from_it(page, tmp_path):
    study = write_study(tmp_path, **TIMED)
    with served(study) as url:
        begin(page, url)
        page.keyboard.press("ArrowRight")
        wait_until(page, CROSS)
        assert page.evaluate(AWAY_AND_BACK) > 550
        wait_until(page, f"{STATE} === 'open'")
        page.keyboard.press("ArrowRight")
        wait_until(page, CROSS)
        page.get_by_role("button", name="Leave…").click()
        time.sleep(0.8)
        assert page.evaluate(CROSS)
        page.get_by_role("button", name="Go on", exact=True).click()
        wait_until(page, f"{STATE} === 'open'")
        assert [a.unfocused_ms for a in own_answers(page, study)] == [0, 0]


def test_the_second_click_of_a_double_click_answers_nothing(page, tmp_path):
    study = write_study(tmp_path, **{**SMALL, "practice": 0})
    with served(study) as url:
        begin(page, url)
        answer(page, lambda page: page.locator("#choices button").first.click())
        page.mouse.down(click_count=2)
        page.mouse.up(click_count=2)
        time.sleep(0.2)
        assert count(page) == "2 of 3" and page.evaluate(STATE) == "open"


def test_time_in_other_windows_is_measured(page, study, url):
    begin(page, url)
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    time.sleep(0.3)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    answer(page)
    page.get_by_role("button", name="Leave…").click()
    time.sleep(0.3)
    page.get_by_role("button", name="Go on", exact=True).click()
    answer(page)
    answer(page)
    first, second, third = [a.unfocused_ms for a in own_answers(page, study)]
    assert 250 < first < 5000 and 250 < second < 5000 and third == 0


def test_everything_can_be_named_and_seen_by_those_who_use_no_mouse(page, study, url):
    page.goto(url)
    page.get_by_role("button", name="I agree").wait_for()
    screens = []
    while len(screens) < 3:
        screens.append(page.evaluate(STATE))
        names = page.evaluate(
            """[...document.querySelectorAll("button, a, input, [role=img], progress")]
                .filter((e) => e.checkVisibility())
                .map((e) => e.getAttribute("aria-label") || e.textContent.trim())"""
        )
        assert names and all(names)
        assert page.evaluate("document.documentElement.lang") == "en"
        headings = "[...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length"
        assert page.evaluate(headings) == 1
        page.keyboard.press("Tab")
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid", screens
        if len(screens) == 1:
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="How it goes").wait_for()
        elif len(screens) == 2:
            page.keyboard.press("Enter")
            wait_until(page, f"{STATE} === 'open'")


@pytest.fixture
def file(study, tmp_path):
    path = tmp_path / "page.html"
    export_page(study, path, slots=3)
    return path


def saved(page, folder):
    with page.expect_download() as download:
        page.get_by_role("link", name="Save my answers").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_page_in_a_file_needs_no_server(context, page, study, file, tmp_path):
    page.goto(file.as_uri())
    page.get_by_role("spinbutton").fill("7")
    page.get_by_role("button", name="I agree").click()
    page.get_by_role("spinbutton").fill("2")
    begin(page)
    answer(page)
    other = context.new_page()
    other.goto(file.as_uri())
    other.get_by_text("Welcome back: 1 of 4").wait_for()
    page.bring_to_front()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="Continued in another window").wait_for()
    page.get_by_role("button", name="Go on here").click()
    resume(page)
    to_the_end(page)
    path = saved(page, tmp_path)
    collected = read_collected(study, [path])
    (participant,) = collected.participants
    assert (participant.slot, participant.finished, participant.origin) == (2, True, path.name)
    assert page.locator("output").inner_text() == participant.code
    assert page.locator("#screen .number code").inner_text() == participant.token
    assert [a.choice for a in collected.answers[participant.token]] == ["right"] * 4
    with AnswerStore(study) as store:
        assert (store.add(collected), store.add(collected)) == (1, 0)
        assert store.collected() == collected


def test_mechanical_turk_gets_the_answers_and_previews_show_the_first_page(
    context, page, study, file, tmp_path
):
    posted = []

    def take(route):
        posted.append(parse_qs(route.request.post_data))
        route.fulfill(body="<h1>Submitted</h1>", content_type="text/html")

    context.route("https://workersandbox.mturk.com/mturk/externalSubmit", take)
    base = f"{file.as_uri()}?turkSubmitTo=https://workersandbox.mturk.com&assignmentId="
    page.goto(f"{base}ASSIGNMENT_ID_NOT_AVAILABLE")
    page.get_by_text("This is a preview").wait_for()
    assert page.get_by_role("button", name="I agree").is_disabled()
    begin(page, f"{base}A1B2")
    to_the_end(page)
    page.get_by_role("button", name="Submit my answers").click()
    page.get_by_role("heading", name="Submitted").wait_for()
    assert posted[0]["assignmentId"] == ["A1B2"]
    results = tmp_path / "Batch_1_results.csv"
    with results.open("w", newline="") as open_file:
        rows = csv.writer(open_file)
        rows.writerow(("AssignmentId", MTURK_COLUMN))
        rows.writerow(("A1B2", posted[0]["answers"][0]))
    collected = read_collected(study, [results])
    assert [p.finished for p in collected.participants] == [True]
    assert "A1B2" not in json.dumps([p.token for p in collected.participants])
    page.goto(f"{file.as_uri()}?assignmentId=A1&turkSubmitTo=https://evil.example")
    page.get_by_text("which is not Mechanical Turk").wait_for()


def test_recruiters_names_are_taken_out_of_the_address(context, page, study, url, file):
    page.goto(f"{url}?PROLIFIC_PID=5f1e&STUDY_ID=8&SESSION_ID=9")
    page.get_by_role("button", name="I agree").wait_for()
    assert page.url == url
    page.goto(f"{file.as_uri()}?slot=1&assignmentId=A1&workerId=W1")
    page.get_by_role("button", name="I agree").wait_for()
    assert page.url == f"{file.as_uri()}?slot=1"
    begin(page)
    page.get_by_role("button", name="Leave…").click()
    page.get_by_role("button", name="Go on later").click()
    opened = []
    page.on("framenavigated", lambda frame: opened.append(frame.url))
    page.get_by_role("button", name="Go on now").click()
    page.get_by_role("heading", name="How it goes").wait_for()
    assert opened[0] == f"{file.as_uri()}?slot=1&assignmentId=A1"
    assert page.url == f"{file.as_uri()}?slot=1"
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "A1" not in kept and "5f1e" not in kept and "W1" not in kept


def test_the_file_names_no_method_and_connects_to_nothing(study, file):
    text = Path(file).read_text()
    for word in ("pix2pix", "crn", "degraded", study.secret):
        assert word not in text
    assert "default-src 'none'" in text and "connect-src" not in text


def test_a_task_of_mechanical_turk_has_a_frame_in_which_the_page_fits():
    screens = (STATIC / "screens.js").read_text()
    assert int(re.search(r"CONTROLS_HEIGHT = (\d+);", screens)[1]) <= CONTROLS_HEIGHT


def test_the_pointer_marks_neither_image(page, url):
    begin(page, url)
    for side in ("left", "right"):
        page.hover(f'#pair [data-choice="{side}"]')
        style = f"getComputedStyle(document.querySelector('#pair [data-choice=\"{side}\"]'))"
        assert page.evaluate(f"[{style}.boxShadow, {style}.outlineStyle]") == ["none", "none"]


def test_a_window_that_is_too_small_is_told_before_the_consent(context, page, url, study):
    page.set_viewport_size(TINY)
    page.goto(url)
    page.get_by_role("heading", name="Please make this window larger").wait_for()
    assert page.get_by_role("button", name="Leave").count() == 0
    with AnswerStore(study) as store:
        assert store.collected().participants == []
    page.set_viewport_size(WINDOW)
    begin(page)
    page.set_viewport_size(TINY)
    answer_key(page)
    page.get_by_role("heading", name="Please make this window larger").wait_for()
    page.get_by_role("button", name="Leave").click()
    assert page.locator("#leaving code").inner_text() == token_of(page, study)
    page.get_by_role("button", name="Leave and delete").click()
    page.get_by_role("heading", name="Your answers are deleted").wait_for()
    page.set_viewport_size(WINDOW)
    assert page.get_by_role("heading", name="Your answers are deleted").is_visible()


def answer_key(page):
    """Answer the practice trial and end its feedback."""
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Begin").click()
