"""The demo's flow: flow_toystreet.py for 1,250 images."""

_base_ = "flow_toystreet.py"

param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type="LinearLR", start_factor=1.0, end_factor=0.02, by_epoch=False, begin=300, end=625),
]
train_dataloader = dict(batch_size=2)
train_cfg = dict(max_epochs=5, val_interval=5)
hooks = dict(styles=dict(interval=5), checkpoints=dict(interval=5), log=dict(interval=50))
