"""Data: scenes on disk, their label maps and images, and how they are read and checked."""
