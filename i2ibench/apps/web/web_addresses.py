"""Web addresses that a user gives."""

from urllib.parse import urlsplit

from i2ibench.errors import UserError


def is_web_address(text: str) -> bool:
    """Return whether a text is an absolute http or https URL."""
    try:
        parts = urlsplit(text)
    except ValueError:  # such as http://[x
        return False
    return parts.scheme in ("http", "https") and parts.netloc != ""


def check_public_url(text: str) -> None:
    """Check the address that browsers see when a proxy stands before a server.

    Args:
        text: the address, such as https://lab.example/study/; "" without a proxy.

    Raises:
        UserError: the text is no web address.
    """
    if text and not is_web_address(text):
        raise UserError(
            f"A public address must be one such as https://lab.example/study/, not {text!r}."
        )
