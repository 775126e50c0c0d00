"""The editor's page in a real browser against the real command: what is drawn, and what is kept."""

import json
import re
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ibench.apps.editor.rasterise import scaled, stroke
from tests.integration.editor_driver import (
    agreed_maps,
    choose_mode,
    drag,
    drop,
    place,
    png,
    select,
    settle,
    start,
    take,
    trained_run,
    wait_until,
)

ROOT = Path(__file__).parents[2]
ROAD, CAR, VOID = 1, 2, 3
MODES_OF_SELECTED = "editor.store.info(editor.store.selected).style"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with a tiny trained checkpoint and its data."""
    folder = tmp_path_factory.mktemp("editor")
    trained_run(folder)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """Of a running editor."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    checkpoint = sorted((folder / "work_dirs/tiny").glob("epoch_*.pth"))[-1]
    tool = ROOT / "tools/edit.py"
    server = start(tool, checkpoint, "--port", port, "--autosave", folder / "saved", cwd=folder)
    lines = []
    while not any(f"http://127.0.0.1:{port}/" in line for line in lines):
        lines.append(server.stdout.readline())
        assert lines[-1], "".join(lines)
    yield f"http://127.0.0.1:{port}/"
    server.terminate()
    server.communicate(timeout=20)


@pytest.fixture
def page(browser, address):
    """An opened editor; whatever the console calls an error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    errors = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    settle(page)
    yield page
    context.close()
    assert errors == []


def test_the_pages_discs_silhouettes_and_lines_are_the_servers(page):
    rng = np.random.default_rng(0)
    for _ in range(20):
        (x0, y0), (x1, y1) = rng.integers(-12, 60, (2, 2)).tolist()
        radius = int(rng.integers(0, 9))
        drawn = page.evaluate(
            """async ([x0, y0, x1, y1, radius]) => {
                const { eachSpan } = await import("/static/raster.js");
                const drawn = new Uint8Array(48 * 40);
                const segment = { x0, y0, x1, y1, radius };
                eachSpan(segment, 48, 40, (start, end) => drawn.fill(1, start, end));
                return [...drawn];
            }""",
            [x0, y0, x1, y1, radius],
        )
        expected = np.zeros((40, 48), np.uint8)
        region = stroke([(x0, y0), (x1, y1)], radius, 40, 48)
        expected[region.slices][region.mask] = 1
        np.testing.assert_array_equal(np.array(drawn).reshape(40, 48), expected)
    mask = rng.random((7, 11)) < 0.5
    for scale, flip in ((0.4, False), (1.0, True), (2.3, True)):
        made = page.evaluate(
            """async ([mask, scale, flip]) => {
                const { scaleMask } = await import("/static/raster.js");
                const made = scaleMask({ mask, width: 11, height: 7 }, scale, flip);
                return [made.height, made.width, [...made.mask]];
            }""",
            [mask.astype(int).ravel().tolist(), scale, flip],
        )
        expected = scaled(mask, scale, flip)
        np.testing.assert_array_equal(np.array(made[2]).reshape(made[:2]), expected)


def test_a_stroke_is_painted_at_once_answered_undone_and_redone(page, address):
    before = agreed_maps(page, address)
    take(page, "road")
    page.keyboard.press("b")
    page.mouse.move(*place(page, 8, 6))
    page.mouse.down()
    echo = page.evaluate("editor.maps.label[6 * editor.width + 8]")
    assert echo == ROAD
    for x in range(8, 50, 3):
        page.mouse.move(*place(page, x, 6 + x % 5))
    page.mouse.up()
    painted = agreed_maps(page, address)
    assert (painted[0] == ROAD).sum() > (before[0] == ROAD).sum() + 100
    assert page.evaluate("editor.timings.last") > 0
    page.keyboard.press("Control+z")
    for now, then in zip(agreed_maps(page, address), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert page.locator("#undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    for now, then in zip(agreed_maps(page, address), painted, strict=True):
        np.testing.assert_array_equal(now, then)


def test_painting_on_the_image_makes_and_extends_a_new_object(page, address):
    take(page, "car")
    page.keyboard.press("b")
    page.keyboard.press("n")
    page.evaluate("editor.store.set({radius: 2})")
    drag(page, (10, 4), (20, 4), pane="picture")
    _, instance = agreed_maps(page, address)
    made = page.evaluate("editor.store.selected")
    assert made == instance[4, 10] and made > 2000
    page.keyboard.press("e")
    drag(page, (30, 4), (40, 4))
    label, instance = agreed_maps(page, address)
    assert instance[4, 35] == made and label[4, 35] == CAR


def test_objects_change_class_move_multiply_and_go(page, address):
    car = select(page, CAR)
    page.keyboard.press("d")
    label, instance = agreed_maps(page, address)
    copy = page.evaluate("editor.store.selected")
    assert copy != car and (label[instance == copy] == CAR).all()
    y, x = np.argwhere(instance == copy)[0].tolist()
    drag(page, (x, y), (x, y - 9))
    moved = agreed_maps(page, address)[1]
    np.testing.assert_array_equal(moved[y - 9, x], copy)
    page.locator("#object-class").select_option(label="road")
    label, instance = agreed_maps(page, address)
    changed = page.evaluate("editor.store.selected")
    assert label[y - 9, x] == ROAD and instance[y - 9, x] == changed != copy
    page.keyboard.press("Delete")
    assert changed not in agreed_maps(page, address)[1]


def test_fill_lasso_and_stamp_agree_with_the_server(page, address):
    take(page, "void")
    page.keyboard.press("f")
    page.mouse.click(*place(page, 1, 1))
    assert (agreed_maps(page, address)[0][0] == VOID).all()
    take(page, "car")
    page.keyboard.press("l")
    drag(page, (5, 3), (25, 3), (25, 12), (5, 12))
    label, instance = agreed_maps(page, address)
    assert label[8, 15] == CAR and instance[8, 15] == page.evaluate("editor.store.selected")
    page.keyboard.press("s")
    page.wait_for_selector("#tray button")
    page.mouse.move(*place(page, 45, 8))
    page.mouse.wheel(0, 100)
    page.keyboard.press("x")
    page.mouse.click(*place(page, 45, 8))
    label, instance = agreed_maps(page, address)
    assert label[8, 45] == CAR and instance[8, 45] != instance[8, 15]


def test_hasty_edits_in_any_order_leave_page_and_server_equal(page, address):
    rng = np.random.default_rng(1)

    def somewhere():
        return int(rng.integers(0, 64)), int(rng.integers(0, 32))

    def stroke():
        page.keyboard.press("b")
        drag(page, somewhere(), somewhere(), somewhere())

    def fill():
        page.keyboard.press("f")
        page.mouse.click(*place(page, *somewhere()))

    def select_and_move():
        page.keyboard.press("v")
        drag(page, somewhere(), somewhere())

    def change_hand():
        page.evaluate("label => editor.store.set({label})", int(rng.integers(0, 4)))

    keys = [
        lambda key=key: page.keyboard.press(key) for key in ("Control+z", "Control+y", "d", "2")
    ]
    for _ in range(40):
        rng.choice([stroke, stroke, fill, select_and_move, change_hand, *keys])()
    label, instance = agreed_maps(page, address)
    ids, areas = np.unique(instance, return_counts=True)
    table = page.evaluate("[...editor.store.instances].map(([id, {area}]) => [id, area])")
    assert dict(table) == dict(zip(ids.tolist(), areas.tolist(), strict=True))
    assert all(len(np.unique(label[instance == i])) == 1 for i in ids)


def test_a_mode_changes_the_image_and_undo_takes_it_back(page):
    def image():
        settle(page)
        canvas = "document.getElementById('picture-canvas')"
        return page.evaluate(f"{canvas}.toDataURL()")

    select(page, CAR)
    before, old = image(), page.evaluate(MODES_OF_SELECTED)
    wait_until(page, "document.querySelectorAll('#strip canvas.drawn').length > 1")
    other = 0 if old["mode"] else 1
    choose_mode(page, other)
    assert page.evaluate(MODES_OF_SELECTED) == {"kind": "mode", "mode": other}
    changed = image()
    assert changed != before
    page.keyboard.press("Control+z")
    assert image() == before and page.evaluate(MODES_OF_SELECTED) == old
    page.keyboard.press("Control+y")
    assert image() == changed
    page.keyboard.press("r")
    settle(page)
    assert page.evaluate(MODES_OF_SELECTED)["kind"] == "drawn"


def test_the_exported_image_is_the_one_on_the_page(page, address):
    settle(page)
    with page.expect_download() as download:
        page.keyboard.press("Control+e")
    assert re.fullmatch(r"s0_\d{4}-\d\d-\d\d_\d{6}\.png", download.value.suggested_filename)
    exported = np.array(Image.open(download.value.path()))
    shown = page.evaluate(
        """() => {
            const canvas = document.getElementById("picture-canvas");
            const { width, height } = canvas;
            return [...canvas.getContext("2d").getImageData(0, 0, width, height).data];
        }"""
    )
    shown = np.array(shown, np.uint8).reshape(*exported.shape[:2], 4)
    np.testing.assert_array_equal(shown[..., :3], exported)


def test_nothing_is_lost_by_saving_and_reloading(page, address):
    take(page, "void")
    page.keyboard.press("b")
    drag(page, (3, 3), (12, 9))
    select(page, CAR)
    choose_mode(page, 1)
    maps, styles = agreed_maps(page, address), page.evaluate(MODES_OF_SELECTED)
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    assert re.fullmatch(r".+_\d{4}-\d\d-\d\d_\d{6}\.zip", download.value.suggested_filename)
    archive = zipfile.ZipFile(download.value.path())
    np.testing.assert_array_equal(np.array(Image.open(archive.open("label.png"))), maps[0])
    assert len(json.loads(archive.read("styles.json"))["styles"]) == 1
    page.reload()
    for now, then in zip(agreed_maps(page, address), maps, strict=True):
        np.testing.assert_array_equal(now, then)
    select(page, CAR)
    assert page.evaluate(MODES_OF_SELECTED) == styles


def test_dropped_label_maps_open_and_broken_ones_are_refused_legibly(page, address):
    label = np.zeros((24, 40), np.uint8)
    label[12:] = ROAD
    label[10:16, 5:15] = CAR
    drop(page, ("mine.png", png(label)))
    wait_until(page, "editor.width === 40")
    np.testing.assert_array_equal(agreed_maps(page, address)[0], label)
    drop(page, ("wrong.png", png(label + 90)))
    notice = page.locator(".notice.error p")
    notice.wait_for()
    assert "wrong.png has the value 90" in notice.inner_text()
    np.testing.assert_array_equal(agreed_maps(page, address)[0], label)


def test_files_dropped_together_are_taken_in_their_order(page, address):
    label = np.full((24, 40), ROAD, np.uint16)
    label[10:16, 5:15] = CAR
    instance = np.where(label == CAR, 777, 7).astype(np.uint16)
    drop(page, ("a_instance.png", png(instance)), ("a_label16.png", png(label)))
    wait_until(page, "editor.width === 40")
    wait_until(page, "editor.store.instances.has(777)")
    for now, expected in zip(agreed_maps(page, address), (label, instance), strict=True):
        np.testing.assert_array_equal(now, expected)
    page.evaluate(
        """() => {
            const folder = { name: "folder", size: 0, arrayBuffer: () => Promise.reject() };
            const dropped = new Event("drop", { cancelable: true });
            dropped.dataTransfer = { files: [folder] };
            window.dispatchEvent(dropped);
        }"""
    )
    page.locator(".notice.error p", has_text="folder cannot be read").wait_for()


def test_before_and_after_compares_with_the_scene_as_it_was_opened(page):
    def pixels(canvas):
        settle(page)
        return page.evaluate(f"document.getElementById('{canvas}').toDataURL()")

    def compare():
        page.keyboard.press("c")
        page.locator("#before").wait_for()
        return pixels("before-picture")

    before = pixels("picture-canvas")
    take(page, "void")
    page.keyboard.press("b")
    drag(page, (3, 3), (30, 9))
    assert pixels("picture-canvas") != before
    assert compare() == before
    page.reload()
    assert pixels("picture-canvas") != before
    assert compare() == before
    page.keyboard.press("c")
    page.locator("#before").wait_for(state="hidden")


def test_two_tabs_have_two_scenes(page, address):
    other = page.context.new_page()
    other.goto(address)
    untouched = agreed_maps(other, address)
    page.bring_to_front()  # a tab in the background draws no frames
    take(page, "void")
    page.keyboard.press("b")
    drag(page, (3, 3), (30, 9))
    painted = agreed_maps(page, address)
    assert (painted[0] != untouched[0]).any()
    for now, then in zip(agreed_maps(other, address), untouched, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_broken_connection_comes_back_with_the_same_scene(page, address):
    take(page, "void")
    page.keyboard.press("b")
    drag(page, (3, 3), (30, 9))
    maps, session = agreed_maps(page, address), page.evaluate("editor.store.session")
    page.evaluate("editor.breakConnection()")
    wait_until(page, "editor.store.online !== 'connected'")
    for now, then in zip(agreed_maps(page, address), maps, strict=True):
        np.testing.assert_array_equal(now, then)
    assert page.evaluate("editor.store.session") == session
