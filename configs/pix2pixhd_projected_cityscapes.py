"""Discriminator ablation: pretrained features (Projected GAN) inside the released pix2pixHD.

Needs timm (`pip install "i2ibench[projected]"`) and the weights of EfficientNet-Lite0. Estimated
memory of a step of one scene: 5.2 GiB in bf16, 6.1 GiB in float32.
"""

_base_ = "pix2pixhd_cityscapes_1024x512_released.py"

model = dict(
    discriminator=dict(_delete_=True, type="ProjectedDiscriminator"),
    adversarial=dict(_delete_=True, type="HingeGAN"),
)
