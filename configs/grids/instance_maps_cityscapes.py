"""With and without the instance boundary map (the paper's Sec. 4.2 on car regions)."""

base = "../pix2pixhd_cityscapes_1024x512_released.py"
axes = dict(
    boundaries=dict(
        without=dict(data_preprocessor=dict(boundaries=False)),
        with_map=dict(data_preprocessor=dict(boundaries=True)),
    )
)
seeds = [0, 1, 2]
