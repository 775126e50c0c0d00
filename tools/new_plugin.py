"""The same as `i2ibench new_plugin`."""

from i2ibench.cli import main

if __name__ == "__main__":
    main("new_plugin")
