"""A Brownian bridge from class colours to photos (BBDM) on Cityscapes at 512x256.

Memory as flow_cityscapes.py: 9.7 GiB of tensors for a training step in bf16.
"""

_base_ = "flow_cityscapes.py"

model = dict(source="bridge")
