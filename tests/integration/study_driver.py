"""Helpers that serve a study in a thread and take part in it with mouse and keys."""

import time

from i2ibench.apps.study.collect.server import create_app
from i2ibench.apps.web import serving
from tests.integration.editor_driver import wait_until

STATE = """(() => {
    const trial = document.getElementById("trial");
    if (trial.hidden) return document.querySelector("#screen h1")?.textContent ?? "";
    return trial.classList.contains("open") ? "open" : "busy";
})()"""
END = "Thank you!"


def served(study):
    """Serve a study in a with statement, and yield the address of its page."""
    return serving.served(lambda port: create_app(study, "127.0.0.1", port))


def count(page):
    """Return the page's counter of trials, such as "Practice: 1 of 4"."""
    return page.evaluate("document.getElementById('count').textContent")


def begin(page, url=None):
    """Go from the first page to the first trial that can be answered."""
    if url is not None:
        page.goto(url)
    page.get_by_role("button", name="I agree").click()
    resume(page)


def resume(page):
    """Go from the instructions to the next trial that can be answered."""
    page.get_by_role("heading", name="How it goes").wait_for()
    page.keyboard.press("Enter")
    wait_until(page, f"{STATE} === 'open'")


def by_key(page):
    """Answer with an arrow key."""
    page.keyboard.press("ArrowRight")


def answer(page, choose=by_key):
    """Answer the trial that is open, and go on to the next one, or to the end."""
    before = count(page)
    choose(page)
    deadline = time.monotonic() + 20
    while (state := page.evaluate(STATE)) != END:
        assert time.monotonic() < deadline, f"{state!r} after {before!r}"
        if state == "open" and count(page) != before:
            return
        feedback = page.locator("#feedback button")
        if state in ("Practice is over", "Time for a short rest") or feedback.is_visible():
            page.keyboard.press("Enter")
        time.sleep(0.02)


def to_the_end(page, choose=by_key):
    while page.evaluate(STATE) != END:
        answer(page, choose)


def token_of(page, study):
    return page.evaluate(f"JSON.parse(localStorage['i2ibench-study-{study.hash[:16]}-token'])")
