"""The command line: one file for each command.

Importing this package hides torch's C++ warnings in distributed runs; torch reads the setting when
it is imported. DistributedDataParallel warns in every process that it searches for unused
parameters and found none. The search is necessary, because a method may leave parameters out of an
update.
"""

import os

if "WORLD_SIZE" in os.environ or "SLURM_NTASKS" in os.environ:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
