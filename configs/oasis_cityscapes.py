"""OASIS on Cityscapes at 512x256, labels alone; batches of 20 in the paper (4 GPUs)."""

_base_ = [
    "_base_/systems/oasis.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/oasis_200_epochs.py",
    "_base_/runtime.py",
]

data_preprocessor = dict(boundaries=False)
_size = dict(type="Resize", width=512, height=256)
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), batch_size=5)
val_dataloader = dict(dataset=dict(transforms=[_size]))
protocol = dict(width=512, height=256)
hooks = dict(ema=dict(type="ExponentialMovingAverage", decay=0.9999))
