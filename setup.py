"""The packages: i2ibench, and the folder plugins/ installed as i2ibench_plugins."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["i2ibench", "i2ibench.*"]), "i2ibench_plugins"],
    package_dir={"i2ibench_plugins": "plugins"},
)
