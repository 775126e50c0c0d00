"""Addresses of the web."""

from urllib.parse import urlsplit


def is_web_address(text: str) -> bool:
    """Return whether a browser can be led there."""
    try:
        parts = urlsplit(text)
    except ValueError:  # such as http://[x
        return False
    return parts.scheme in ("http", "https") and parts.netloc != ""
