"""Errors in what the operator wrote (FQL, a mapping, a list), shown with the place and a caret under it."""

_SHOWN = 100
"""Characters of the line that are shown around the place, at most."""


class PointedError(ValueError):
    """A text that cannot be understood.

    Args:
        problem: what is wrong, and what would be right; no full stop.
        text: the whole text.
        position: where in the text (0-based, in characters); its length is the end.
        name: what the text is (`--where`, a file's name).
    """

    def __init__(self, problem: str, text: str, position: int, name: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.text = text
        self.position = max(0, min(position, len(text)))
        self.name = name

    def named(self, name: str) -> "PointedError":
        """Return the same error in a text of this name."""
        return PointedError(self.problem, self.text, self.position, name)

    def __str__(self) -> str:
        """Say it: the place (its line only where there are several), the problem, the line, the caret."""
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", self.position)
        line, column = self.text[start : len(self.text) if end < 0 else end], self.position - start
        place = f"character {column + 1}"
        if "\n" in self.text.strip("\n"):
            place = f"line {self.text.count(chr(10), 0, start) + 1}, {place}"
        left = max(0, column - _SHOWN // 2)
        shown = line[left : left + _SHOWN].replace("\t", " ")
        before = "…" if left else ""
        caret = " " * (len(before) + column - left) + "^"
        return f"{self.name or 'the text'}, {place}: {self.problem}\n  {before}{shown}\n  {caret}"
