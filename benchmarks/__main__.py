"""`python -m benchmarks [NAME…]`: measure, and print one table with figures, ratios and targets."""

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

NAMES = (
    "preparing",
    "profiling",
    "mapping",
    "fql",
    "startup",
    "ledger",
    "pace",
    "cap",
    "outage",
    "poison",
    "hot",
    "memory",
    "suppress",
    "s3",
    "bulk",
    "pushdown",
    "dedupe",
    "plan",
    "validate",
)


def main() -> None:
    names = sys.argv[1:] or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    table = Table("benchmark", "what", "figure", "target")
    console = Console()
    for name in names:
        module = import_module(f"benchmarks.{name}")
        console.print(f"[dim]{name}: {(module.__doc__ or '').strip()}[/dim]", highlight=False)
        for row in module.main():
            table.add_row(name, *row)
        table.add_section()
    console.print(table)


main()
