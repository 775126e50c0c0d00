"""Style banks of checkpoints: features of instances, fitting, tables and contact sheets."""
