"""`python -m i2ibench.cli` is the same as the command `i2ibench`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main()
