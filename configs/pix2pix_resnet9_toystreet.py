"""pix2pix with CycleGAN's ResNet in the place of the U-Net, on ToyStreet at a quarter width."""

_base_ = "pix2pix_toystreet.py"

model = dict(generator=dict(_delete_=True, type="ResNet9Generator", base_channels=16))
