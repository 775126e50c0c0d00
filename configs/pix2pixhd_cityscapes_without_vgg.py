"""The paper's system without its VGG loss, which needs no downloaded weights."""

_base_ = "pix2pixhd_cityscapes.py"

model = dict(losses=dict(perceptual=None))
