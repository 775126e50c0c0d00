"""The same as `i2ibench study`."""

from i2ibench.cli import main

if __name__ == "__main__":
    main("study")
