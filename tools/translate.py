"""Run `i2ibench translate`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("translate")
