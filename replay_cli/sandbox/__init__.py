"""A local MoEngage, for demos, rehearsals and tests.

It answers the Segment endpoint, its auth check and the public Data API as MoEngage documents them, keeps what
it received on disk for questions, measures the traffic for itself (the highest number of attempts in any rolling
second, of users and events in any rolling minute), and takes faults by programme: latency, errors, resets,
silence, outages. It shares no code with the parts that send, so that what it says about them is a second opinion.

    meter, tally         how many came, how fast                     pure
    elements, budgets    users and events, and their limits          pure
    verdicts, fields     the shapes of answers, the rules of fields  pure
    attributes           ids, platforms and values                   pure
    segment_api,
    data_api             what is wrong with a body                   pure
    endpoints            what MoEngage would answer                  pure
    faults               which fault strikes an attempt              pure
    programme            reading fault programmes                    pure
    spool                what was received, on disk
    reception            what becomes of each attempt
    door, wire           connections, replies, and ways to spoil them
    questions            `/_sandbox/…`
    server               `Sandbox`, `serve`
"""

from replay_cli.sandbox.server import Sandbox, serve

__all__ = ["Sandbox", "serve"]
