"""The criteria by what is in a message, each as a selector with a reason of its own (pure).

No message makes them raise, whatever is in the place of what they look at.
"""

from collections.abc import Callable, Collection
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.event_names import event_of
from replay_cli.segment.event_patterns import compile_names
from replay_cli.segment.identity import as_text
from replay_cli.segment.selector import Selector

OTHER_TYPE = "other_type"
IDENTIFY_LEFT_OUT = "identify_left_out"
OTHER_EVENT = "other_event"
OTHER_USER = "other_user"
DEVICE_MODE = "device_mode"
INTEGRATION_OFF = "integration_off"
NO_CONSENT = "no_consent"
_NOT_ASKED = object()
NOT_WHERE = "not_where"

DEVICE_MODE_LIBRARIES = (
    "analytics-ios",
    "analytics-swift",
    "analytics-android",
    "analytics-kotlin",
    "analytics.js",
    "analytics-react-native",
)
"""The libraries (`context.library.name`) that can bundle MoEngage's SDK (documented): their messages may have reached
MoEngage without Segment. The archive does not say whether they did."""

_MOENGAGE = frozenset({"moengage", "moengageactions"})
_ALL = "all"
_LONGEST_NAME = 40


def of_types(types: Collection[str]) -> Selector:
    """Mean the messages of some types."""

    def select(message: Message) -> str | None:
        kind = message.get("type")
        return None if kind.__class__ is str and kind in types else OTHER_TYPE

    return select


def without_identifies(message: Message) -> str | None:
    """Mean all but identifies: they would overwrite newer traits with those of their time."""
    return IDENTIFY_LEFT_OUT if message.get("type") == "identify" else None


def of_events(patterns: Collection[str]) -> Selector:
    """Mean the messages whose event has one of some names (`event_patterns`): of what has no event, nothing."""
    matches = compile_names(patterns)

    def select(message: Message) -> str | None:
        name = event_of(message)
        return None if name is not None and matches(name) else OTHER_EVENT

    return select


def of_users(user_ids: Collection[str]) -> Selector:
    """Mean the messages that have one of some user ids; a number is its JavaScript text."""

    def select(message: Message) -> str | None:
        user = message.get("userId")
        if user.__class__ is not str:
            user = as_text(user)
        return None if user in user_ids else OTHER_USER

    return select


def without_device_mode(message: Message) -> str | None:
    """Mean all but the messages of `DEVICE_MODE_LIBRARIES`, in any case."""
    context = message.get("context")
    library = context.get("library") if context.__class__ is dict else None
    name = library.get("name") if library.__class__ is dict else None
    return DEVICE_MODE if name.__class__ is str and name.lower() in DEVICE_MODE_LIBRARIES else None


def without_turned_off(message: Message) -> str | None:
    """Mean all but the messages whose own `integrations` turned MoEngage off.

    That is a name of MoEngage's with a value that is falsy in JavaScript, or `All` with one and no name of MoEngage's.
    Of a name only letters and digits count, in any case, so that it is known from a lake's columns too: `MoEngage`,
    `MoEngage (Actions)`, `mo_engage_actions`. Where these contradict each other, it is off.
    """
    integrations = message.get("integrations")
    if integrations.__class__ is not dict or not integrations:
        return None
    named = all_of_them = None
    for name, value in integrations.items():
        plain = _plain(name)
        if plain in _MOENGAGE:
            named = named is not False and _is_on(value)
        elif plain == _ALL:
            all_of_them = all_of_them is not False and _is_on(value)
    return INTEGRATION_OFF if named is False or (named is None and all_of_them is False) else None


def with_consent(categories: Collection[str]) -> Selector:
    """Mean the messages whose user consented to all of some categories.

    Consent is `context.consent.categoryPreferences` {category: bool}. A message without it was not subject to consent,
    and stays in (documented). An empty one has none; and so is read, to be on the safe side, what is no such object.
    """

    def select(message: Message) -> str | None:
        preferences = _preferences(message)
        if preferences is _NOT_ASKED:
            return None
        if preferences.__class__ is not dict:
            return NO_CONSENT
        for category in categories:
            if preferences.get(category) is not True:
                return NO_CONSENT
        return None

    return select


def unknown_categories(message: Message, categories: Collection[str]) -> str | None:
    """Say which categories a message's consent does not speak of, and which it does; None when it speaks of all.

    A misspelt category leaves out everybody, and only the archive knows how it is spelt.
    """
    preferences = _preferences(message)
    if preferences.__class__ is not dict or not preferences or not (unknown := set(categories) - preferences.keys()):
        return None
    return f"no consent is given or refused to {', '.join(sorted(unknown))}, but to {', '.join(sorted(preferences))}"


def _preferences(message: Message) -> Any:
    """Return what should be an object of categories; `_NOT_ASKED` where there is none."""
    context = message.get("context")
    consent = context.get("consent") if context.__class__ is dict else None
    if consent is None:
        return _NOT_ASKED
    return consent.get("categoryPreferences", _NOT_ASKED) if consent.__class__ is dict else consent


def meeting(condition: Callable[[Message], bool]) -> Selector:
    """Mean the messages that a condition is true of."""
    return lambda message: None if condition(message) else NOT_WHERE


def _plain(name: str) -> str:
    """Return a short name without signs and spaces, in lower case; of a long one its beginning."""
    return name.lower() if name.isalnum() else "".join(filter(str.isalnum, name[:_LONGEST_NAME])).lower()


def _is_on(value: Any) -> bool:
    """Tell whether a value is truthy in JavaScript, where all objects are."""
    return bool(value) or isinstance(value, dict | list)
