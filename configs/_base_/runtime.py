"""What every run logs and saves."""

seed = 0
hooks = dict(
    log=dict(type="TrainingLog", interval=20),
    images=dict(type="ValidationImages"),
    checkpoints=dict(type="Checkpoints", interval=1),
)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
