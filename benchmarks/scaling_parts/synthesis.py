"""Synthesis over pixels: the CPU time and the peak of an image.

Tensors of more than 32 MiB are new to glibc's allocator each time: it takes them from the system,
which clears them page by page, and gives them back. The time is measured with that and without.
"""

import ctypes
from contextlib import contextmanager

from systems import batch, translator

from i2ibench.inference import Inference
from scaling_parts.curves import LINEAR, Curve, pixels, timed, width_of
from scaling_parts.training import TIME, time_and_peak

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""


def curves(plan):
    sizes = pixels(plan.take([256, 512, 1024, 2048], [128, 256]))
    generator = {"base_channels": plan.take(8, 2), "num_enhancers": 1, "num_blocks": 3}
    model = translator(generator).eval()

    def image(size):
        width = width_of(size)
        prepared = batch(plan.folder / f"{width}x1", width, width // 2)
        return lambda: Inference(model).paint(prepared, None)

    time, peak = time_and_peak("synthesis", "pixels", sizes, image, plan)
    with memory_kept():
        rounds = timed(image, sizes, plan.take(3, 1))
    yield time
    yield Curve(time.panel, "… with freed memory kept", "pixels", TIME, sizes, rounds, LINEAR)
    yield peak


@contextmanager
def memory_kept():
    """Let the allocator keep what is freed, as MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=… do."""
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    yield
    libc.mallopt(MMAP_MAX, 65536)
    libc.mallopt(TRIM_THRESHOLD, 128 * 1024)
