"""Run `i2ibench styles`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("styles")
