"""`python -m i2ibench` is the same as the command `i2ibench`."""

from i2ibench.cli import main

if __name__ == "__main__":
    main()
