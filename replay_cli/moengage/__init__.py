"""What MoEngage takes, and what its replies mean.

Pure: no I/O, no clock. `apis` makes the way that a job goes: `actions`, `classic` and `bulk` are the three mappings,
`configured` one of a user's own (`configuration` reads it, `wishes` its short form); `fields`, `attributes`, `device`
and `known` are what they share, and `packing` puts bulk requests together. `preflight` checks each body against the
documented `limits`; `replies` gives every reply its meaning; `regions` knows the hosts.
"""
