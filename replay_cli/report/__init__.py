"""What people and machines are shown: the summary and its exit code, live progress, tables."""
