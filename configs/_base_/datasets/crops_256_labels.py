"""Prepared scenes at 256x256, without instances: crops of 286x286 to train on."""

_base_ = "crops_256.py"

data_preprocessor = dict(boundaries=False)
train_dataloader = dict(dataset=dict(instance_dir=None))
val_dataloader = dict(dataset=dict(instance_dir=None))
