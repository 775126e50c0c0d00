"""Protocols: named rules of what is scored against what."""

from i2ibench.evaluation.protocols import camvid, cityscapes, segformer, toystreet
from i2ibench.evaluation.protocols import custom as own
from i2ibench.evaluation.protocols.protocol import Protocol, build_protocol
