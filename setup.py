"""The packages: i2ibench, and plugins/ and configs/ under names of their own."""

from pathlib import Path

from setuptools import find_packages, setup

FOLDERS = [Path("configs"), *(path for path in Path("configs").rglob("*") if path.is_dir())]
CONFIGS = [folder for folder in FOLDERS if any(folder.glob("*.py"))]

setup(
    packages=[
        *find_packages(include=["i2ibench", "i2ibench.*"]),
        "i2ibench_plugins",
        *(".".join(["i2ibench_configs", *folder.parts[1:]]) for folder in CONFIGS),
    ],
    package_dir={"i2ibench_plugins": "plugins", "i2ibench_configs": "configs"},
)
