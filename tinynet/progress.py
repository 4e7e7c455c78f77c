"""What a person sees while a loop runs: a live bar, and the numbers beside it as text.

It must not know what the loop does.
"""
from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["ProgressBar", "as_text"]


class ProgressBar:
    """tqdm's bar over `total` samples where someone is watching, else only a clock."""

    def __init__(self, title, total, shown):
        self.started = self.drawn = time.perf_counter()
        self.tqdm: Any = None
        # As in Keras: isatty is False in a notebook, where the bar is a widget.
        if shown and (sys.stdout.isatty() or "ipykernel" in sys.modules):
            from tqdm.auto import tqdm      # here because it doubles the time of `import tinynet`
            self.tqdm = tqdm(desc=title, total=total, file=sys.stdout, leave=False, dynamic_ncols=True,
                             bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]")

    def due(self) -> bool:
        """Whether it is time to draw: ten times a second."""
        return self.tqdm is not None and time.perf_counter() - self.drawn > 0.1

    def move(self, done, text=""):
        self.drawn = time.perf_counter()
        self.tqdm.set_postfix_str(text, refresh=False)
        self.tqdm.update(done - self.tqdm.n)

    def close(self) -> float:
        """Take the bar away; returns the seconds since it was made."""
        if self.tqdm is not None:
            self.tqdm.close()
        return time.perf_counter() - self.started


def as_text(logs) -> str:
    """Logs as Keras prints them.

    >>> as_text({"loss": 0.25, "accuracy": 0.0001})
    'loss: 0.2500 - accuracy: 1.0000e-04'
    """
    return " - ".join(f"{name}: {value:.4f}" if abs(value) > 1e-3 else f"{name}: {value:.4e}"
                      for name, value in logs.items())
