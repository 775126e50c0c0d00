"""One step instead of 25: the network of flow_cityscapes.py, distilled and trained as a GAN.

Train configs/flow_cityscapes.py first; its last checkpoint is the teacher. A training step takes
6.3 GiB of tensors in bf16 and 10.5 GiB in float32 (--estimate-memory).
"""

_base_ = [
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

model = dict(
    type="OneStepTranslator",
    teacher="work_dirs/flow_cityscapes/epoch_0200.pth",
    teacher_steps=8,
    generator=dict(type="OneStepUNet"),
    discriminator=dict(type="MultiScaleDiscriminator", num_scales=3),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
)
_size = dict(type="Resize", width=512, height=256)
optimizers = dict(generator=dict(lr=1e-4), discriminator=dict(lr=4e-4))
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), batch_size=8)
val_dataloader = dict(dataset=dict(transforms=[_size]), batch_size=4)
train_cfg = dict(max_epochs=100, val_interval=10)
protocol = dict(width=512, height=256)
hooks = dict(average=dict(type="ExponentialMovingAverage", decay=0.9999))
