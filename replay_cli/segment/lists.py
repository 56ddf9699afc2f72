"""What the operator's lists mean for a message: the message ids that are meant or not, and suppressed people (pure).

An entry of a list of people is a user id, an anonymous id or an e-mail address, whichever. A message is suppressed
when an entry is

- one of its ids: `userId`, `anonymousId`, `previousId` (of an alias), `traits.id` or `context.traits.id`;
- an e-mail address in it: `traits.email`, `context.traits.email` or `properties.email`.

Ids compare exactly, as the text that would reach MoEngage: a number or boolean as JavaScript writes it, a lone
element of an array as that element. What has an `@` is an e-mail address wherever it stands, so in a user id too, and
compares without the white space around it and in either case.

An address says nothing of the user ids that it was seen with: who is listed by address alone is left out only where a
message carries it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from replay_cli.model import Message
from replay_cli.segment.ids import IdSet
from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.message import MalformedError, parse
from replay_cli.segment.selector import Selector, all_of

NOT_IN_ONLY_IDS = "not_in_only_ids"
IN_EXCEPT_IDS = "in_except_ids"
SUPPRESSED = "suppressed"
SUPPRESSED_BY_EMAIL = "suppressed_by_email"

LEFT_OUT_BY_IDS = (NOT_IN_ONLY_IDS, IN_EXCEPT_IDS)
"""The reasons that belong to a job's selection; suppression, which may change from run to run, has the others."""


@dataclass(frozen=True, slots=True)
class Lists:
    """The operator's lists; None is no list.

    Args:
        only: the ids of the messages that are meant: no others are, nor those without an id.
        except_: the ids of messages that are not meant.
        suppressed: people of whom nothing is sent, each entry as `person` gives it.
    """

    only: IdSet | None = None
    except_: IdSet | None = None
    suppressed: IdSet | None = None

    def selector(self) -> Selector | None:
        """Return what decides for each message; None when there are no lists. The job's selection goes first."""
        return all_of(
            [
                None if self.only is None else _only(self.only),
                None if self.except_ is None else _except(self.except_),
                None if self.suppressed is None else suppression(self.suppressed),
            ]
        )


NO_LISTS = Lists()


def person(entry: str) -> str:
    """Return an entry of a list of people as it compares: an e-mail address bare and in lower case, an id as it is."""
    return entry.strip().lower() if "@" in entry else entry


def suppression(people: IdSet) -> Selector:
    """Return what tells why a message must not be sent: `suppressed`, or `suppressed_by_email` where only that says so.

    Args:
        people: each entry as `person` gives it.
    """
    has = people.has

    def is_listed(value: object) -> bool:
        text = text_of_id(value)
        return text is not None and has(person(text))

    def judge(traits: Message) -> str | None:
        if is_listed(traits.get("id")):
            return SUPPRESSED
        return SUPPRESSED_BY_EMAIL if is_listed(traits.get("email")) else None

    # Every replayed message passes here, so what nearly all have, or have not, is decided with the fewest calls.
    def select(message: Message) -> str | None:
        get = message.get
        user, anonymous = get("userId"), get("anonymousId")
        if has(user) if user.__class__ is str and "@" not in user else is_listed(user):
            return SUPPRESSED
        if has(anonymous) if anonymous.__class__ is str and "@" not in anonymous else is_listed(anonymous):
            return SUPPRESSED
        if "previousId" in message and is_listed(message["previousId"]):
            return SUPPRESSED
        traits, context, properties = get("traits"), get("context"), get("properties")
        reason = judge(traits) if traits.__class__ is dict else None
        if reason is SUPPRESSED:
            return reason
        if context.__class__ is dict and "traits" in context and (current := context["traits"]).__class__ is dict:
            reason = judge(current) or reason
        if reason is None and properties.__class__ is dict and "email" in properties:
            return SUPPRESSED_BY_EMAIL if is_listed(properties["email"]) else None
        return reason

    return select


def for_records(selector: Selector) -> Callable[[bytes], str | None]:
    """Return the same question for the text of a record; what is no message is not meant by any list."""

    def select(record: bytes) -> str | None:
        try:
            message, _ = parse(record)
        except MalformedError:
            return None
        return selector(message)

    return select


def text_of_id(value: object) -> str | None:
    """Return an id as the text that would reach MoEngage; None for what is no id (absent, an object, several)."""
    if value.__class__ is list and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_to_string(value) if isinstance(value, int | float) else None


def _only(ids: IdSet) -> Selector:
    has = ids.has

    def select(message: Message) -> str | None:
        number = message.get("messageId")
        text = number if number.__class__ is str else text_of_id(number)
        return None if text is not None and has(text) else NOT_IN_ONLY_IDS

    return select


def _except(ids: IdSet) -> Selector:
    has = ids.has

    def select(message: Message) -> str | None:
        number = message.get("messageId")
        text = number if number.__class__ is str else text_of_id(number)
        return IN_EXCEPT_IDS if text is not None and has(text) else None

    return select
