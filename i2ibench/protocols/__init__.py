"""Protocols: what is scored against what, by name."""

from i2ibench.protocols import camvid, cityscapes, own, toystreet
from i2ibench.protocols.protocol import Protocol, build_protocol
