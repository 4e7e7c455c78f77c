"""What a person sees while a loop runs: a live bar, and the numbers beside it as text.

It must not know what the loop does.
"""
from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["ProgressBar", "as_text"]


# At most 79 columns wide with loss and accuracy beside it.
FORMAT = "{desc}: {percentage:3.0f}%|{bar:20}| {remaining}{postfix}"


class ProgressBar:
    """tqdm's bar over `total` samples where someone is watching, else only a clock."""

    shown: Any = None

    def __init__(self, title, total, shown):
        self.started = self.drawn = time.perf_counter()
        self.tqdm: Any = None
        if shown and _someone_watches():
            from tqdm.auto import tqdm      # here because it doubles the time of `import tinynet`
            if ProgressBar.shown:           # left over from a loop that an error ended
                ProgressBar.shown.close()
            self.tqdm = ProgressBar.shown = tqdm(desc=title, total=total, file=sys.stdout, leave=False,
                                                 dynamic_ncols=True, bar_format=FORMAT)

    def due(self) -> bool:
        """Whether it is time to draw: ten times a second."""
        return self.tqdm is not None and time.perf_counter() - self.drawn > 0.1

    def move(self, done, text=""):
        """Draw the bar at `done` of `total`, with a text behind it."""
        if self.tqdm is not None:
            self.drawn = time.perf_counter()
            self.tqdm.n = done
            self.tqdm.set_postfix_str(text)

    def close(self) -> float:
        """Take the bar away; returns the seconds since it was made."""
        if self.tqdm is not None:
            self.tqdm.close()
            ProgressBar.shown = None
        return time.perf_counter() - self.started


def as_text(logs) -> str:
    """Logs as Keras prints them.

    >>> as_text({"loss": 0.25, "accuracy": 0.0001})
    'loss: 0.2500 - accuracy: 1.0000e-04'
    """
    return " - ".join(f"{name}: {value:.4f}" if abs(value) > 1e-3 else f"{name}: {value:.4e}"
                      for name, value in logs.items())


def _someone_watches() -> bool:
    """Whether the output is a terminal or a notebook, whose output is no terminal but can redraw a bar."""
    return getattr(sys.stdout, "isatty", bool)() or "ipykernel" in type(sys.stdout).__module__
