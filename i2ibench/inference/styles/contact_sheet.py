"""The contact sheet: blocks of captioned images, one block per class."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

TILE = 256
"""The widest that an image is shown, in pixels."""

MARGIN, GAP, AFTER = 32, 6, 30
INK, FAINT, LINE = (20, 20, 24), (105, 105, 115), (222, 222, 228)


@dataclass(frozen=True)
class Block:
    """One class on the sheet.

    Attributes:
        title: its name.
        facts: said behind the name.
        colour: (red, green, blue) of the class.
        headings: one per column.
        rows: images of one size each row, uint8 [h,w,3].
    """

    title: str
    facts: str
    colour: Colour
    headings: Sequence[str]
    rows: Sequence[Sequence[Picture]]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        widest = max(sum(p.shape[1] + GAP for p in row) - GAP for row in self.rows)
        return widest, 52 + sum(row[0].shape[0] + GAP for row in self.rows) - GAP


def tile(image: Picture, region: NDArray[np.bool_] | None = None) -> Picture:
    """An image at the sheet's size, with a region outlined from outside, uint8 [h,w,3].

    Args:
        image: uint8 [H,W,3].
        region: bool [H,W], or None.
    """
    height, width = image.shape[:2]
    size = (min(width, TILE), max(round(height * min(width, TILE) / width), 1))
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if region is not None:
        inside = np.array(Image.fromarray(region).resize(size, Image.Resampling.NEAREST))
        line = _grown(inside)
        small[_grown(line) & ~line] //= 2  # so that the line shows on bright ground too
        small[line & ~inside] = 255
    return small


def draw_sheet(title: str, lines: Sequence[str], blocks: Sequence[Block], note: str) -> Picture:
    """The whole sheet, uint8 [H,W,3].

    Args:
        title: over all.
        lines: what one sees, under the title.
        blocks: from top to bottom.
        note: at the bottom; none if empty.
    """
    top = MARGIN + 44 + 22 * len(lines) + 18
    width = max([760, *(block.size[0] for block in blocks)]) + 2 * MARGIN
    notes = _wrapped(note, _font(14), width - 2 * MARGIN)
    height = top + sum(block.size[1] + AFTER for block in blocks) + 20 * len(notes) + MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, _font(26, bold=True))
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + 42 + 22 * number), line, FAINT, _font(15))
    for block in blocks:
        _draw_block(sheet, pen, block, top)
        top += block.size[1] + AFTER
    for number, line in enumerate(notes):
        pen.text((MARGIN, top + 20 * number), line, FAINT, _font(14))
    return np.array(sheet)


def _draw_block(sheet: Image.Image, pen: ImageDraw.ImageDraw, block: Block, top: int) -> None:
    pen.line((MARGIN, top - 14, sheet.width - MARGIN, top - 14), LINE)
    pen.rectangle((MARGIN, top + 1, MARGIN + 16, top + 17), block.colour, FAINT)
    pen.text((MARGIN + 26, top - 2), block.title, INK, _font(18, bold=True))
    behind = MARGIN + 26 + pen.textlength(block.title, _font(18, bold=True)) + 14
    pen.text((behind, top + 1), block.facts, FAINT, _font(15))
    left = MARGIN
    for heading, image in zip(block.headings, block.rows[0], strict=True):
        pen.text((left, top + 29), heading, INK, _font(14))
        left += image.shape[1] + GAP
    top += 52
    for row in block.rows:
        left = MARGIN
        for image in row:
            sheet.paste(Image.fromarray(image), (left, top))
            left += image.shape[1] + GAP
        top += row[0].shape[0] + GAP


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with its four-connected neighbours."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines no wider than `width`, broken at spaces."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings along: the same letters on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
