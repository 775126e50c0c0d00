"""The pieces of a training run: its stages, the states they were saved in, and the Runner."""
