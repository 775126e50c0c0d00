"""Grids of training runs."""

from i2ibench.grids import executors
