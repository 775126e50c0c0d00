"""Modules that two or more parts share."""
