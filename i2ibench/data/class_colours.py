"""Label maps in the colours of their classes."""

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.image_reading import MapPixels
from i2ibench.errors import UserError


def is_coloured(pixels: MapPixels, classes: ClassTable) -> bool:
    """Return whether a label map holds colours, not ids.

    It does if its channels differ, or if every value of a map with equal channels is the grey
    colour of a class.

    Args:
        pixels: the pixels of the map.
        classes: the class table.
    """
    if pixels.values.ndim == 3 or not pixels.from_colour:
        return pixels.values.ndim == 3
    greys = {c.colour[0] for c in classes.classes if len(set(c.colour)) == 1}
    return set(np.unique(pixels.values).tolist()) <= greys


def channels_of_colours(
    image: NDArray[np.uint8], classes: ClassTable, place: str
) -> NDArray[np.uint8]:
    """Return the class channels, uint8 [H,W], of an image in the classes' colours.

    A colour that several classes share means the one that is scored, such as Cityscapes' car, not
    license plate. If none of them is scored, it means the first, such as unlabeled.

    Args:
        image: uint8 [H,W,3].
        classes: the class table; a class's channel is its position there.
        place: the file or argument that holds the image, for messages.

    Raises:
        UserError: a pixel has no class's colour, or that of several scored classes.
    """
    colours = np.array([c.colour for c in classes.classes], np.int64) @ (1, 2**8, 2**16)
    pixels = image.astype(np.int64) @ (1, 2**8, 2**16)
    # The scored classes come first among those of one colour, else the order is the table's.
    unscored = np.array([not c.scored for c in classes.classes])
    order = np.lexsort((unscored, colours))
    ordered = colours[order]
    position = np.searchsorted(ordered, pixels).clip(max=len(colours) - 1)
    wrong = ordered[position] != pixels
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise UserError(
            f"{place} has the colour {_unpacked(pixels[row, column])} at row {row}, column "
            f"{column} and {wrong.sum()} of {wrong.size} pixels have no class's colour. Add it to "
            "classes.json (scored: false if it is void); blurred borders come from resizing or "
            "JPEG."
        )
    shared = (ordered[1:] == ordered[:-1]) & ~unscored[order][1:]
    for first in np.flatnonzero(shared)[np.isin(np.flatnonzero(shared), position)]:
        names = [classes.classes[k].name for k in np.flatnonzero(colours == ordered[first])]
        raise UserError(
            f"{place} has the colour {_unpacked(ordered[first])}, which classes share: "
            f"{', '.join(names)}. Give each class in classes.json a colour of its own, or give "
            "class ids."
        )
    return order[position].astype(np.uint8)


def _unpacked(colour: np.integer) -> list[int]:
    value = int(colour)
    return [value & 255, value >> 8 & 255, value >> 16]
