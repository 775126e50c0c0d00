"""The options of inference, as a user chooses them for any method."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from i2ibench.errors import UserError

SMALLEST = 64
"""Sides of a tile in pixels; smaller ones would mostly compute their margins."""


@dataclass(frozen=True)
class InferenceOptions:
    """The choices by which images are made.

    Attributes:
        precision: "bf16", or None for float32.
        compile_mode: one of `compilation.MODES`, or None for the networks as they are.
        tile: (width, height) of the tiles to work in, or None for whole scenes.
        settings: values of the method's own `Settings` that replace the checkpoint's.

    Raises:
        UserError: the tile is too small or odd, or tiles are to be compiled.
    """

    precision: str | None = None
    compile_mode: str | None = None
    tile: tuple[int, int] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Check the tile."""
        if self.tile is None:
            return
        width, height = self.tile
        if min(self.tile) < SMALLEST or width % 2 or height % 2:
            even = "x".join(str(max(side + side % 2, SMALLEST)) for side in self.tile)
            raise UserError(
                f"A tile of {width}x{height} does not do: sides are even and at least {SMALLEST}. "
                f"The next one is {even}."
            )
        if self.compile_mode:
            raise UserError("Nothing of what works in tiles is compiled; leave --compile out.")


PLAIN = InferenceOptions()
"""Whole scenes in float32, with the checkpoint's own settings."""
