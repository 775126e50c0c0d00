"""One step instead of eight: the network of flow_toystreet.py, distilled and trained as a GAN.

Train configs/flow_toystreet.py first; its last checkpoint is the teacher.
"""

_base_ = [
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(
    type="OneStepTranslator",
    teacher="work_dirs/flow_toystreet/epoch_0020.pth",
    teacher_steps=8,
    generator=dict(type="OneStepUNet", widths=(48, 96, 144, 192), num_blocks=1),
    encoder=dict(type="InstanceEncoder", base_channels=16, num_downsamplings=1),
    discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
)
amp = "bf16"
optimizers = dict(
    generator=dict(lr=2e-4, betas=(0.5, 0.99)), discriminator=dict(lr=4e-4, betas=(0.5, 0.99))
)
train_dataloader = dict(batch_size=4)
hooks = dict(average=dict(type="ExponentialMovingAverage"), checkpoints=dict(interval=2))
