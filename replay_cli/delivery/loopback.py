"""Which destinations are this machine itself: to them plain HTTP and any rate may go."""

from ipaddress import ip_address

from yarl import URL


def is_loopback(url: URL) -> bool:
    """Tell whether a URL stays on this machine."""
    host = url.host or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
