"""A client of a store which tells what time it is there."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from replay_cli.remote.clocks import StoreClock, boot_time

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_s3.client import S3Client as Boto

_SMALL_BYTES = 1 << 20


class Client:
    """A client that is made when it is first needed, and tells a clock what its replies say.

    Args:
        make: makes it.
        clock: the store's.
    """

    def __init__(self, make: "Callable[[], Boto]", clock: StoreClock) -> None:
        self.made: Boto | None = None
        self._make = make
        self._clock = clock
        self._making = threading.Lock()
        self._request = threading.local()

    def get(self) -> "Boto":
        """Return it. To make it may take a network, to find credentials."""
        with self._making:
            if self.made is None:
                boto = self._make()
                boto.meta.events.register("before-send.s3", self._sent)
                boto.meta.events.register("response-received.s3", self._received)
                self.made = boto
            return self.made

    def _sent(self, request: "AWSPreparedRequest", **_: object) -> None:
        """Note when a request goes out. A small one goes out whole: to ask first whether it may costs a round trip."""
        if "Expect" in request.headers and int(request.headers.get("Content-Length") or 0) < _SMALL_BYTES:
            del request.headers["Expect"]
        self._request.sent = boot_time()

    def _received(self, response_dict: Mapping[str, Any] | None = None, **_: object) -> None:
        """Note a reply, whatever it says; of an exception there is none."""
        sent: float | None = getattr(self._request, "sent", None)
        if response_dict is not None and sent is not None:
            self._clock.hear(response_dict["headers"].get("date"), sent, boot_time())
