"""Inference: a trained method that makes images, at a precision, compiled, in tiles, as set."""

from i2ibench.inference.inference import Inference
from i2ibench.inference.options import InferenceOptions
