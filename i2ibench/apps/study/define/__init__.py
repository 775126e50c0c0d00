"""Define a study: its file, its design, its scenes and images."""
