"""Inference with trained translators, and their checkpoints."""

from i2ibench.inference.inference import Inference, InferenceOptions
