"""What a training run is made of: its stages, the states they were saved in, and the Runner."""
