"""The same as `i2ibench eval`."""

from i2ibench.cli import main

if __name__ == "__main__":
    main("eval")
