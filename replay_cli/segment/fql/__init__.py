"""FQL as Segment's destination filters speak it: conditions over a message, compiled once, asked for each message.

    text → lexer → parser → tree → evaluation → Message → bool

This is the dialect that people mean by FQL (`--where`, destination filters). The one of a destination's subscriptions
looks like it and reads otherwise: it is the subject of `segment/triggers`.
"""

from replay_cli.segment.fql.evaluation import Condition, compile_condition
from replay_cli.segment.fql.fields import Reader, compile_path, read_path

__all__ = ["Condition", "Reader", "compile_condition", "compile_path", "read_path"]
