"""Views of a style bank: the table of its classes, and the contact sheet of its modes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.markup import escape
from rich.table import Table
from torch import Tensor
from torch.utils.data import default_collate

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.inference import Inference
from i2ibench.inference.styles.instance_features import evenly_spread
from i2ibench.io.progress import Progress
from i2ibench.models.ops.images import to_displayable
from i2ibench.models.ops.instance_regions import instances_of, paint
from i2ibench.models.styles.bank import StyleBank
from i2ibench.registry.contracts import Dataset

Pixels = NDArray[np.uint8]

SMALLEST_SHARE = 0.004
"""A class is shown on scenes in which it covers at least this share of the pixels."""

CANDIDATES = 60
"""The number of evenly spread scenes from which a preview chooses."""

LEGEND = (
    "Each column paints one mode on every instance of the class (outlined); all others stay as "
    "sampled.",
    "Behind a mode's number: how many training instances are nearest to it.",
)

THUMBNAIL_WIDTH = 256
"""The largest width of an image on a contact sheet, in pixels."""

MARGIN, GAP, AFTER, HEADER = 32, 6, 30, 52
INK, FAINT, LINE = (20, 20, 24), (105, 105, 115), (222, 222, 228)


def bank_of(opened: OpenedCheckpoint) -> StyleBank:
    """Return the style bank from which a checkpoint's styles are sampled.

    Raises:
        UserError: the checkpoint has no encoder.
    """
    bank = opened.inference.bank
    if bank is None:
        raise UserError(f"{opened.path} has no encoder, so it has no styles.")
    return bank


def bank_table(bank: StyleBank, classes: Sequence[str]) -> Table:
    """Return a table with a row for each class that has modes; its caption lists the others.

    Columns are the class, its training instances, its modes, their sizes, and the share of the
    variance that they explain. A bank that does not know the instances has "?" there.

    Args:
        bank: the bank.
        classes: the names of its classes.
    """
    counts = bank.counts.tolist()
    without = [name for name, count in zip(classes, counts, strict=True) if not count]
    caption = f"painted with zeros, for lack of modes: {escape(', '.join(without))}"
    table = Table(caption=caption if without else None, caption_justify="left")
    for name, justify in (("class", "left"), ("instances", "right"), ("modes", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("sizes")
    table.add_column("explained", justify="right")
    for label, count in enumerate(counts):
        if count:
            instances, sizes, explained = "?", "?", "?"
            if bank.instances[label]:
                instances = str(int(bank.instances[label]))
                sizes = " ".join(str(n) for n in bank.sizes[label, :count].tolist())
                explained = f"{bank.explained[label]:.1%}"
            table.add_row(escape(classes[label]), instances, str(count), sizes, explained)
    return table


def preview(
    opened: OpenedCheckpoint, dataset: Dataset, num_scenes: int, title: str
) -> NDArray[Any]:
    """Return the contact sheet of a checkpoint's style bank, uint8 RGB [H,W,3].

    It shows each class with modes on the scenes in which the class is largest, among 60
    evenly spread scenes. Classes that are too small in all of them are listed at the bottom.

    Args:
        opened: the checkpoint.
        dataset: the scenes to paint the modes on.
        num_scenes: the largest number of scenes for each class.
        title: the title of the sheet.

    Raises:
        UserError: the checkpoint has no encoder, or its networks return NaN or infinity.
    """
    bank, classes = bank_of(opened), opened.metainfo["classes"]
    positions = evenly_spread(len(dataset), CANDIDATES)
    scenes = largest_scenes(dataset, positions, len(classes), num_scenes)
    counts = bank.counts.tolist()
    total = sum(n * len(own) for n, own in zip(counts, scenes, strict=True))
    with Progress("painting modes", total) as progress:
        sections = [
            _section(opened, dataset, label, scenes[label], progress)
            for label, count in enumerate(counts)
            if count and scenes[label]
        ]
    small = [classes[label] for label, count in enumerate(counts) if count and not scenes[label]]
    note = f"Too small in these scenes to be shown: {', '.join(small)}." if small else ""
    return draw_sheet(title, LEGEND, sections, note)


def largest_scenes(
    dataset: Dataset, positions: Sequence[int], num_classes: int, count: int
) -> list[list[int]]:
    """Read the candidates; return for each class the scenes in which it covers the largest share.

    A scene is left out if the class covers less than 0.4 % of its pixels (SMALLEST_SHARE). A class
    may have no scenes. An instance counts as a whole for the class of most of its pixels.

    Args:
        dataset: scenes with label and instance maps.
        positions: the positions in the data set of the candidates, all of which are read.
        num_classes: the number of classes.
        count: the largest number of scenes for each class.

    Returns:
        One list of positions in the data set for each class, largest share first.
    """
    shares = np.zeros((len(positions), num_classes))
    for row, position in enumerate(positions):
        sample = dataset[position]
        instances = instances_of(sample["label"], sample["instance"])
        covered = np.bincount(instances.labels, weights=instances.sizes, minlength=num_classes)
        shares[row] = covered / sample["label"].numel()
    chosen = []
    for share in shares.T:
        order = np.argsort(-share, kind="stable")[:count]
        chosen.append([positions[i] for i in order if share[i] >= SMALLEST_SHARE])
    return chosen


@dataclass(frozen=True)
class RenderedModes:
    """One scene in every mode of a class.

    Attributes:
        scene: the scene's name.
        real: the real image, uint8 [H,W,3], or None.
        images: one image for each mode, uint8 [H,W,3].
        region: the pixels of the class, bool [H,W].
    """

    scene: str
    real: Pixels | None
    images: list[Pixels]
    region: NDArray[np.bool_]


@torch.inference_mode()
def render_modes(
    inference: Inference,
    sample: Any,
    label: int,
    on_image: Callable[[], None] = lambda: None,
) -> RenderedModes:
    """Render a scene with all instances of a class in mode 0, then in mode 1, and so on.

    There is one image for each mode of the class. The instances of other classes keep their sampled
    modes.

    Args:
        inference: a translator with a style bank.
        sample: a sample of the scene, which is preprocessed here.
        label: the class.
        on_image: a function that is called after each image.

    Raises:
        UserError: the networks return NaN or infinity.
    """
    bank = inference.bank
    assert bank is not None
    batch = inference.translator.data_preprocessor(default_collate([sample]))
    instances = instances_of(batch["label"][0], batch["instance"][0])
    sampled = bank.choose(sample["name"], instances.ids, instances.labels)
    inside = instances.labels == label
    images = []
    for mode in range(int(bank.counts[label])):
        modes = torch.where(inside, mode, sampled)
        features = paint(bank.vectors(instances.labels, modes), instances.members)
        images.append(_to_pixels(inference.paint(batch, features[None])[0]))
        on_image()
    real = _to_pixels(sample["image"]) if "image" in sample else None
    return RenderedModes(sample["name"], real, images, inside[instances.members].cpu().numpy())


def _to_pixels(image: Tensor) -> Pixels:
    return to_displayable(image).permute(1, 2, 0).cpu().numpy()


@dataclass(frozen=True)
class SheetSection:
    """The part of a contact sheet that shows one class.

    Attributes:
        title: the name of the class.
        summary: a text behind the title.
        colour: (red, green, blue) of the class.
        headings: the headings of the columns.
        rows: images uint8 [h,w,3], of equal size in each row.
    """

    title: str
    summary: str
    colour: tuple[int, int, int]
    headings: Sequence[str]
    rows: Sequence[Sequence[Pixels]]

    @property
    def size(self) -> tuple[int, int]:
        """Return the (width, height) of this section in pixels, with its title and headings."""
        widest = max(sum(image.shape[1] + GAP for image in row) - GAP for row in self.rows)
        return widest, HEADER + sum(row[0].shape[0] + GAP for row in self.rows) - GAP

    def draw(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int) -> None:
        """Draw this section on a sheet.

        Args:
            sheet: the sheet, into which the images are pasted.
            pen: a pen of that sheet.
            top: the distance of the section from the sheet's top, in pixels.
        """
        pen.line((MARGIN, top - 14, sheet.width - MARGIN, top - 14), LINE)
        pen.rectangle((MARGIN, top + 1, MARGIN + 16, top + 17), self.colour, FAINT)
        pen.text((MARGIN + 26, top - 2), self.title, INK, _font(18, bold=True))
        behind = MARGIN + 26 + pen.textlength(self.title, _font(18, bold=True)) + 14
        pen.text((behind, top + 1), self.summary, FAINT, _font(15))
        left = MARGIN
        for heading, image in zip(self.headings, self.rows[0], strict=True):
            pen.text((left, top + 29), heading, INK, _font(14))
            left += image.shape[1] + GAP
        top += HEADER
        for row in self.rows:
            left = MARGIN
            for image in row:
                sheet.paste(Image.fromarray(image), (left, top))
                left += image.shape[1] + GAP
            top += row[0].shape[0] + GAP


def _section(
    opened: OpenedCheckpoint,
    dataset: Dataset,
    label: int,
    scenes: list[int],
    progress: Progress,
) -> SheetSection:
    """Render a class on some scenes, and return its section of the contact sheet.

    Each scene is a row: the real image, if there is one, then the image of each mode, all reduced
    and with the class outlined.
    """
    rows, has_real = [], False
    for position in scenes:
        rendered = render_modes(opened.inference, dataset[position], label, progress.advance)
        has_real = rendered.real is not None
        images = [*([rendered.real] if rendered.real is not None else []), *rendered.images]
        rows.append([thumbnail(image, rendered.region) for image in images])
    bank, meta = bank_of(opened), opened.metainfo
    count = int(bank.counts[label])
    headings, summary = [f"mode {mode}" for mode in range(count)], f"{count} modes"
    if bank.instances[label]:  # a bank of an older checkpoint does not know the sizes
        sizes = bank.sizes[label, :count].tolist()
        headings = [f"{mode}  ({size})" for mode, size in zip(headings, sizes, strict=True)]
        summary = (
            f"{int(bank.instances[label])} training instances, {summary}, "
            f"{bank.explained[label]:.0%} of the variance explained"
        )
    headings = ["photo", *headings] if has_real else headings
    colour = tuple(meta["palette"][label])
    return SheetSection(meta["classes"][label], summary, colour, headings, rows)


def thumbnail(image: Pixels, region: NDArray[np.bool_] | None = None) -> Pixels:
    """Return an image reduced to at most 256 columns, uint8 [h,w,3].

    The height keeps the ratio. Smaller images are not enlarged.

    Args:
        image: uint8 [H,W,3].
        region: a region to draw a white outline with a dark rim around, bool [H,W]; None for no
            outline.
    """
    height, width = image.shape[:2]
    new_width = min(width, THUMBNAIL_WIDTH)
    size = (new_width, max(round(height * new_width / width), 1))
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if region is not None:
        inside = np.array(Image.fromarray(region).resize(size, Image.Resampling.NEAREST))
        line = _dilated(inside)
        small[_dilated(line) & ~line] //= 2  # a dark rim, to see the line on bright ground
        small[line & ~inside] = 255
    return small


def _dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask bool [H,W] enlarged by the four neighbours of each of its pixels."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate(mask.view(np.uint8), cross).astype(bool)


def draw_sheet(
    title: str, lines: Sequence[str], sections: Sequence[SheetSection], note: str
) -> Pixels:
    """Return a contact sheet, uint8 RGB [H,W,3].

    The sheet is as wide as its widest section and at least 760 pixels, plus margins.

    Args:
        title: the title at the top.
        lines: the explanation below the title, one text for each line.
        sections: the sections from top to bottom.
        note: the text at the bottom, which is broken into lines; or "".
    """
    top = MARGIN + 44 + 22 * len(lines) + 18
    width = max([760, *(section.size[0] for section in sections)]) + 2 * MARGIN
    notes = _wrapped(note, _font(14), width - 2 * MARGIN)
    height = top + sum(section.size[1] + AFTER for section in sections) + 20 * len(notes) + MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, _font(26, bold=True))
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + 42 + 22 * number), line, FAINT, _font(15))
    for section in sections:
        section.draw(sheet, pen, top)
        top += section.size[1] + AFTER
    for number, line in enumerate(notes):
        pen.text((MARGIN, top + 20 * number), line, FAINT, _font(14))
    return np.array(sheet)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return the lines of a text, broken at spaces to a width in pixels.

    A longer word has a line of its own. An empty text has no lines.
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return matplotlib's font DejaVu Sans in a size, which is the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
