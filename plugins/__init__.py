"""Contributed parts, one file each; installed as the package `i2ibench_plugins`."""
