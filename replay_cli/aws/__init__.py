"""What everything that talks to S3 needs, the reading of archives and the checkpoints that are kept there.

`options` is what the operator says about a store, `connecting` makes the client, and `errors` is the one gate where
botocore's exceptions become this program's.
"""

from replay_cli.aws.options import S3Options

__all__ = ["S3Options"]
