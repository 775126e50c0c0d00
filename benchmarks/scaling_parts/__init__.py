"""What `growth.py` measures: curves of a cost over a size, by part of the project."""
