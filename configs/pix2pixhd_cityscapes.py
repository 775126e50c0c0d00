"""The paper's full-size system: G1 at 1024x512, then the enhancer, then both at 2048x1024."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

train_cfg = dict(max_epochs=90, val_interval=10)
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=40, end=91)]

_half = dict(type="Resize", width=1024, height=512)
stages = dict(
    global_generator=dict(
        model=dict(
            generator=dict(num_enhancers=0, base_channels=64), discriminator=dict(num_scales=2)
        ),
        train_dataloader=dict(dataset=dict(transforms=[_half, dict(type="RandomFlip")])),
        val_dataloader=dict(dataset=dict(transforms=[_half])),
        protocol=dict(width=1024, height=512),
        train_cfg=dict(max_epochs=200),
        param_scheduler=[
            dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=100, end=201)
        ],
    ),
    enhancer=dict(
        model=dict(frozen=["generator.coarse"]),
        train_cfg=dict(max_epochs=10),
        param_scheduler=[],
    ),
    joint=dict(),
)
