"""Run `i2ibench validate`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("validate")
