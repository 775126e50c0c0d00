"""Methods at equal cost: 30 TFLOP of training each (--estimate-memory), in bf16.

A pix2pixHD of the demo's size takes 1,000 steps for them. Epochs have 250 scenes; their numbers
round the cost to at most 6 % from 30 TFLOP. The projected discriminator needs timm and weights.
"""


def _gan(config, epochs):
    """Constant rates in the first half, then linearly down to zero, as in the paper."""
    half = epochs // 2
    rates = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=half, end=epochs + 1)]
    return dict(_base_=config, param_scheduler=rates) | _end(epochs)


def _denoising(config, epochs, steps):
    rates = [
        dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=steps // 10),
        dict(
            type="LinearLR", end_factor=0.02, start_factor=1.0, by_epoch=False, begin=steps // 2,
            end=steps,
        ),
    ]  # fmt: skip
    return dict(_base_=config, param_scheduler=rates) | _end(epochs)


def _end(epochs):
    return dict(
        amp="bf16",
        train_cfg=dict(max_epochs=epochs, val_interval=epochs),
        hooks=dict(
            average=dict(type="ExponentialMovingAverage"), checkpoints=dict(interval=epochs)
        ),
    )


def _styles(cell, epochs):
    cell["hooks"]["styles"] = dict(interval=epochs)
    return cell


_better = dict(generator=dict(upsampling="nearest", padding_mode="reflect"))

axes = dict(
    method=dict(
        pix2pix=_gan("../pix2pix_toystreet.py", 32),
        crn=_gan("../crn_toystreet.py", 9),
        pix2pixhd=_styles(_gan("../pix2pixhd_toystreet.py", 4), 4),
        pix2pixhd_better=_styles(_gan("../pix2pixhd_spectral_hinge_toystreet.py", 4), 4)
        | dict(model=_better),
        pix2pixhd_projected=_styles(_gan("../pix2pixhd_projected_toystreet.py", 4), 4),
        spade=_gan("../spade_toystreet.py", 5),
        oasis=_gan("../oasis_toystreet.py", 5),
        flow=_styles(_denoising("../flow_toystreet.py", 7, 434), 7),
        bridge=_styles(_denoising("../bridge_toystreet.py", 7, 434), 7),
        sdm=_denoising("../sdm_toystreet.py", 11, 682),
    )
)
seeds = [0, 1, 2]
# Without the scores that translate each scene again and again; `samples` gives the diversity.
protocol = dict(
    type="toystreet", samples=2,
    metrics=dict(style_features=None, style_control=None, colour_diversity=None),
)  # fmt: skip
