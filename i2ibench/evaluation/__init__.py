"""Evaluation of checkpoints and folders of images by a protocol."""
