"""pix2pix on Cityscapes: 256x256 crops of 572x286 images, labels and boundaries as condition."""

_base_ = [
    "_base_/systems/pix2pix.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/pix2pix_200_epochs.py",
    "_base_/runtime.py",
]

_load = dict(type="Resize", width=572, height=286)
_crop = dict(type="RandomCrop", width=256, height=256)
train_dataloader = dict(dataset=dict(transforms=[_load, _crop, dict(type="RandomFlip")]))
val_dataloader = dict(
    dataset=dict(transforms=[dict(type="Resize", width=512, height=256)]), batch_size=1
)
protocol = dict(width=512, height=256)
