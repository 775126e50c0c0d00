"""Run `i2ibench edit`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("edit")
