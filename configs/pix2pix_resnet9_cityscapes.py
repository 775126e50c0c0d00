"""pix2pix with CycleGAN's ResNet in the place of the U-Net."""

_base_ = "pix2pix_cityscapes.py"

model = dict(generator=dict(_delete_=True, type="ResNet9Generator", norm_type="batch"))
