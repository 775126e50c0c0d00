"""Adam at a constant 1e-4 for 200 epochs, as CRN's 256-row model is trained."""

optimizers = dict(generator=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999), fused=True))
param_scheduler = []
train_cfg = dict(max_epochs=200, val_interval=10)
