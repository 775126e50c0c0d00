"""Run `i2ibench grid`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("grid")
