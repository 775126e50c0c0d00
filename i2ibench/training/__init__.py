"""Training: stages of a run, their checkpoints, optimisers, hooks and the Runner."""
