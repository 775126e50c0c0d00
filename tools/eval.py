"""Run `i2ibench eval`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("eval")
