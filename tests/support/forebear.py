"""What the nursery's processes descend from: everything that the command imports when it is used, imported."""

from functools import cache

import botocore.session
from botocore.loaders import create_loader

import replay_cli.archive.s3
import replay_cli.cli.redriving
import replay_cli.cli.remote_home
import replay_cli.cli.resume
import replay_cli.cli.run
import replay_cli.cli.running  # noqa: F401 # so that it need not be imported again

# Each store has a session of its own, which would read what botocore knows of S3 from its files again.
botocore.session.create_loader = cache(create_loader)
botocore.session.create_loader().load_service_model("s3", "service-2")
