"""FQL as the subscriptions of a destination speak it: when a subscription takes a message.

    text → tokens → conditions → Message → bool

This dialect is what Segment's runtime (npm `@segment/destination-subscriptions`) evaluates, not what it looks like: the
last `and` or `or` of a level rules the whole level, unknown fields are passed over, groups do not nest, and numbers and
texts compare by rules of their own. What people mean by FQL (destination filters, `--where`) is in `segment/fql`.
"""

from replay_cli.segment.triggers.parser import Mixed, Trigger, compile_trigger, mixed_levels

__all__ = ["Mixed", "Trigger", "compile_trigger", "mixed_levels"]
