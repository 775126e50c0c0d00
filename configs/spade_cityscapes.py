"""SPADE on Cityscapes at 512x256, labels and boundaries; batches of 32 in the paper (8 GPUs)."""

_base_ = [
    "_base_/systems/spade.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/spade_200_epochs.py",
    "_base_/runtime.py",
]

_size = dict(type="Resize", width=512, height=256)
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), batch_size=4)
val_dataloader = dict(dataset=dict(transforms=[_size]))
protocol = dict(width=512, height=256)
