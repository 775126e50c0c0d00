"""Drives the editor's page, and asks its server what it has."""

import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from PIL import Image

from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config

ROOT = Path(__file__).parents[2]


def start(*arguments, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def trained_run(folder):
    """Train a tiny system for an epoch in a folder, as work_dirs/tiny."""
    config = write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=3))
    training = start(
        ROOT / "tools/train.py", config, "--cfg-options", "train_cfg.max_epochs=1",
        "train_cfg.val_interval=9", cwd=folder,
    )  # fmt: skip
    output, _ = training.communicate(timeout=120)
    assert training.returncode == 0, output


def wait_until(page, expression):
    """Poll from outside: the page's content policy forbids what wait_for_function does."""
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never: {expression}"
        time.sleep(0.02)


def settle(page):
    wait_until(page, "window.editor !== undefined")
    page.evaluate("editor.idle()")


def page_maps(page):
    """(label, instance) as the page has them, after everything is answered."""
    settle(page)
    state = page.evaluate(
        "({label: [...editor.maps.label], instance: [...editor.maps.instance], "
        "size: [editor.height, editor.width]})"
    )
    return tuple(np.array(state[name]).reshape(state["size"]) for name in ("label", "instance"))


def saved_scene(page, address):
    token = page.evaluate("editor.store.session")
    with urlopen(f"{address}export/{token}/scene.zip", timeout=10) as answer:
        return zipfile.ZipFile(io.BytesIO(answer.read()))


def agreed_maps(page, address):
    """(label, instance), the same in the page and on the server."""
    maps = page_maps(page)
    archive = saved_scene(page, address)
    for name, own in zip(("label", "instance"), maps, strict=True):
        np.testing.assert_array_equal(np.array(Image.open(archive.open(f"{name}.png"))), own)
    return maps


def place(page, x, y, pane="labels"):
    """The middle of a pixel, in the window."""
    return page.evaluate(
        """([x, y, pane]) => {
            const area = document.getElementById(pane).getBoundingClientRect();
            const { scale, x: left, y: top } = editor.view;
            return [area.left + left + (x + 0.5) * scale, area.top + top + (y + 0.5) * scale];
        }""",
        [x, y, pane],
    )


def drag(page, *pixels, pane="labels"):
    page.mouse.move(*place(page, *pixels[0], pane))
    page.mouse.down()
    for pixel in pixels[1:]:
        page.mouse.move(*place(page, *pixel, pane), steps=4)
    page.mouse.up()


def take(page, name):
    """A class of the legend in hand."""
    page.locator("#legend .row", has_text=name).click()


def select(page, label):
    """Select the first object of a class by clicking on it, and return its id."""
    labels, instances = page_maps(page)
    y, x = np.argwhere(labels == label)[0]
    page.keyboard.press("v")
    page.mouse.click(*place(page, int(x), int(y)))
    selected = page.evaluate("editor.store.selected")
    assert selected == instances[y, x]
    return selected


def choose_mode(page, mode):
    settle(page)
    page.locator("#strip .tile").nth(mode).click()
    settle(page)


def drop(page, *files):
    """Drop files, (name, bytes) each, at once."""
    page.evaluate(
        """(files) => {
            const dataTransfer = new DataTransfer();
            for (const [name, bytes] of files) {
                dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
            }
            window.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
        }""",
        [[name, list(data)] for name, data in files],
    )


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
