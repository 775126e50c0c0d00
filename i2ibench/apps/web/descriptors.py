"""File descriptors: how many connections the operating system's limit has room for."""

FOR_OTHER_FILES = 128
"""Descriptors left for what is no connection: libraries, databases, and clients just accepted."""
FEWEST = 32
PER_CONNECTION = 2
"""A socket, and the file that is sent through it."""


def connections_that_fit(wanted: int) -> int:
    """Return how many connections can be kept, at most `wanted` and at least FEWEST.

    Raises this process's soft limit of open files towards the hard limit where that is needed and
    allowed. Windows has no such limit.
    """
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = PER_CONNECTION * wanted + FOR_OTHER_FILES
    if soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        except (ValueError, OSError):  # a system that allows less than its hard limit says
            pass
    return max(FEWEST, min(wanted, (soft - FOR_OTHER_FILES) // PER_CONNECTION))
