"""CRN in three stages: 256 rows with nine diverse images, then grown to 512 and 1024 rows."""

_base_ = [
    "_base_/systems/crn.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/crn_200_epochs.py",
    "_base_/runtime.py",
]

data_preprocessor = dict(boundaries=False)
model = dict(generator=dict(height=1024))
train_dataloader = dict(dataset=dict(transforms=[]))
train_cfg = dict(max_epochs=5, val_interval=1)

_256 = [dict(type="Resize", width=512, height=256)]
_512 = [dict(type="Resize", width=1024, height=512)]
stages = dict(
    rows_256=dict(
        model=dict(
            generator=dict(height=256, num_outputs=9),
            losses=dict(refinement=dict(type="DiversityLoss")),
        ),
        train_dataloader=dict(dataset=dict(transforms=_256)),
        val_dataloader=dict(dataset=dict(transforms=_256)),
        protocol=dict(width=512, height=256),
        train_cfg=dict(max_epochs=200, val_interval=10),
    ),
    rows_512=dict(
        model=dict(generator=dict(height=512)),
        train_dataloader=dict(dataset=dict(transforms=_512)),
        val_dataloader=dict(dataset=dict(transforms=_512)),
        protocol=dict(width=1024, height=512),
        train_cfg=dict(max_epochs=20, val_interval=5),
    ),
    rows_1024=dict(model=dict(frozen=[f"generator.stages.{k}" for k in range(7)])),
)
