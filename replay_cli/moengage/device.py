"""What a message's context tells of the device, in the Data API's words."""

from typing import Any

WEB_LIBRARY = "analytics.js"
PLATFORMS = {"android": "ANDROID", "web": "web"} | dict.fromkeys(("ios", "ipados", "tvos", "watchos"), "iOS")
"""Segment's word for a device or a system, in small letters → platform (documented)."""


def platform_of(context: dict[str, Any]) -> str:
    """Return the platform, "" when it is none of MoEngage's: by the web's library, the device's type, the system."""
    if text(context, "library", "name") == WEB_LIBRARY:
        return "web"
    return PLATFORMS.get(text(context, "device", "type").lower()) or PLATFORMS.get(
        text(context, "os", "name").lower(), ""
    )


def device_element(customer_id: str, context: dict[str, Any]) -> dict[str, Any] | None:
    """Return the `device` element; None unless the push token, the device's id and the platform are known."""
    token, device_id = text(context, "device", "token"), text(context, "device", "id")
    if not token or not device_id or not (platform := platform_of(context)):
        return None
    element = {
        "type": "device",
        "customer_id": customer_id,
        "device_id": device_id,
        "attributes": {"platform": platform, "push_id": token},
    }
    for name, section, key in (
        ("model", "device", "model"),
        ("app_version", "app", "version"),
        ("os_version", "os", "version"),
    ):
        if value := text(context, section, key):
            element[name] = value
    return element


def text(context: dict[str, Any], section: str, key: str) -> str:
    """Return a text in a section of the context; "" when there is none."""
    inner = context.get(section)
    if inner.__class__ is dict:
        value = inner.get(key)
        if value.__class__ is str:
            return value
    return ""
