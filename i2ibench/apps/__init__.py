"""Applications on top of the core: the interactive editor and the perceptual study."""
