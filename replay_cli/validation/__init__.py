"""The conductor of a validation: everything is read, mapped, checked and counted, side by side; nothing is sent.

The objects of the listing are portioned out (`archive.portions`), an engine (`engines`) has the portions profiled
(`work`), and their profiles are put together in their order (`conductor`): so what is found is the same whoever works.
What depends on the order of the records is left out where only one reads (`order`).
"""
