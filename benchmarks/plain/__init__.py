"""The plain ways that the benchmarks run beside this project's: what the released code computes.

Written anew from descriptions, not copied. Each gives the same results as what it is compared with.
"""
