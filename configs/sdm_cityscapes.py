"""SDM on Cityscapes at 512x256, for GPUs: 92.6 million parameters, 50 evaluations for an image.

A training step takes 13.9 GiB of tensors in bf16 and 24.6 GiB in float32 (--estimate-memory).
"""

_base_ = [
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/flow_200_epochs.py",
    "_base_/runtime.py",
]

model = dict(type="SDMTranslator")
_size = dict(type="Resize", width=512, height=256)
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), batch_size=16)
val_dataloader = dict(dataset=dict(transforms=[_size]), batch_size=4)
optimizers = dict(denoiser=dict(lr=1e-4))
protocol = dict(width=512, height=256)
hooks = dict(average=dict(type="ExponentialMovingAverage", decay=0.9999))
