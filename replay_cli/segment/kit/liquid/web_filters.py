"""Filters for HTML, URLs, Base64 and hashes."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from replay_cli.segment.kit.liquid.coercion import output

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_UNESCAPES = {escape: letter for letter, escape in _ESCAPES.items()}
_ESCAPED = re.compile("[&<>\"']")
_UNESCAPED = re.compile("&(?:amp|lt|gt|#34|#39);")
_BLOCKS = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))
_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_BASE64_SPACE = re.compile("[\t\n\f\r ]")
_BASE64 = re.compile("[A-Za-z0-9+/]*").fullmatch
_UNRESERVED = "!'()*~"
_URI_SYNTAX = ";/?:@&=+$,#"


def _escape(value: Any) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], output(value))


def _escape_once(value: Any) -> str:
    return _escape(_UNESCAPED.sub(lambda found: _UNESCAPES[found[0]], output(value)))


def _strip_html(value: Any) -> str:
    """Drop scripts, styles, comments and tags; from one that does not end on, all stays. Each is sought once."""
    text = output(value)
    blocks = dict(_BLOCKS)
    pieces, start = [], 0
    while (opened := text.find("<", start)) >= 0:
        pieces.append(text[start:opened])
        end = _end_of_block(text, opened, blocks)
        if end < 0:
            start = opened
            break
        start = end
    return "".join(pieces) + text[start:]


def _end_of_block(text: str, opened: int, blocks: dict[str, str]) -> int:
    for opener, closer in list(blocks.items()):
        if text.startswith(opener, opened):
            found = text.find(closer, opened + len(opener))
            if found >= 0:
                return found + len(closer)
            del blocks[opener]
    return -1


def _url_encode(value: Any) -> str:
    return quote(output(value), safe=_UNRESERVED).replace("%20", "+")


def _cgi_escape(value: Any) -> str:
    return quote(output(value), safe="~").replace("%20", "+")


def _uri_escape(value: Any) -> str:
    return quote(output(value), safe=_UNRESERVED + _URI_SYNTAX + "[]")


def _url_decode(value: Any) -> str:
    text = output(value).replace("+", " ")
    if _BAD_PERCENT.search(text):
        raise ValueError("url_decode is given a text with a % that begins no code")
    return unquote_to_bytes(text).decode()


def _base64_decode(value: Any) -> str:
    text = _BASE64_SPACE.sub("", output(value))
    if len(text) % 4 == 0:
        text = text.removesuffix("=").removesuffix("=")
    if len(text) % 4 == 1 or not _BASE64(text):
        raise ValueError("base64_decode is given what is no Base64")
    return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")


def _hmac_sha256(value: Any, key: Any = None) -> str:
    return hmac.new(output(key).encode(), output(value).encode(), hashlib.sha256).hexdigest()


FILTERS: dict[str, Callable[..., Any]] = {
    "base64_decode": _base64_decode,
    "base64_encode": lambda value: base64.b64encode(output(value).encode()).decode(),
    "cgi_escape": _cgi_escape,
    "escape": _escape,
    "escape_once": _escape_once,
    "hmac_sha256": _hmac_sha256,
    "sha256": lambda value: hashlib.sha256(output(value).encode()).hexdigest(),
    "strip_html": _strip_html,
    "uri_escape": _uri_escape,
    "url_decode": _url_decode,
    "url_encode": _url_encode,
    "xml_escape": _escape,
}
