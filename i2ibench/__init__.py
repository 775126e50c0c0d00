"""i2ibench: a modular benchmark for paired image translation."""

__version__ = "0.1.0"
