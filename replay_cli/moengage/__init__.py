"""What MoEngage takes, and what its replies mean.

Pure: no I/O, no clock. `actions` is the mapping of Segment's published MoEngage (Actions) destination;
`preflight` holds MoEngage's documented limits; `replies` gives every reply its meaning; `regions` knows the hosts.
"""
