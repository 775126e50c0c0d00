"""AdamW at a constant 2e-4 after 1,000 steps of warm-up, clipped."""

optimizers = dict(
    denoiser=dict(
        type="AdamW", lr=2e-4, betas=(0.9, 0.99), weight_decay=0.0, clip_grad=dict(max_norm=1.0)
    )
)
param_scheduler = [dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=1000)]
train_cfg = dict(max_epochs=200, val_interval=10)
