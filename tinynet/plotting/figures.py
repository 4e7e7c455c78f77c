"""What all plots share: colours, figures without a window, and glyphs for Chinese labels."""
from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

from tinynet.types import Any

BLUE, ORANGE, GREY = "#1f5fa8", "#e0702d", "#8a8a8a"
# A colour and a marker for each class; by Okabe and Ito, told apart by the colour-blind too.
CLASSES = [(BLUE, "o"), (ORANGE, "s"), ("#009e73", "^"), ("#f0e442", "D"), ("#cc79a7", "v"), ("#56b4e9", "P"),
           ("#000000", "X"), ("#8a8a8a", "*")]
CHINESE = re.compile("[\u2e80-\uffef]")
CHINESE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
                 "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti TC",
                 "Hiragino Sans GB", "Arial Unicode MS", "Droid Sans Fallback", "AR PL UMing CN")


def figure_of(width: float, height: float) -> Any:
    """A new Figure, in inches, without a window and without pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('tinynet.plotting draws with matplotlib, which is not installed. Install it with: '
                          'python -m pip install "tinynet-backprop[plot]"') from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def style(axes: Any, **grid: Any) -> None:
    """A light grid behind the curves, and no frame at the top and on the right."""
    axes.grid(color="#e4e4e4", **grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def grid(figure: Any, rows: int, columns: int, used: int) -> Iterator[Any]:
    """The first `used` axes of a grid, without ticks."""
    for i in range(used):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        yield axes


def plain(text: str) -> str:
    """A text whose dollar signs are no mathematics."""
    return text.replace("$", r"\$")


def rgb(colour: str) -> list[float]:
    """"#ff8000" as (1, 0.5, 0)"""
    return [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]


def has_chinese_glyphs() -> bool:
    """Whether matplotlib finds a font with Chinese characters."""
    return bool(_chinese_fonts())


@functools.cache
def _chinese_fonts():
    """The names of the fonts with Chinese characters that are installed."""
    from matplotlib import font_manager
    if not any(font.name in CHINESE_FONTS for font in font_manager.fontManager.ttflist):
        for path in font_manager.findSystemFonts():     # one that came after matplotlib has made its list
            if any(word in path.lower() for word in ("cjk", "wqy", "hansans", "msyh", "simhei", "pingfang",
                                                     "notosanssc")):
                with suppress(Exception):               # of a font that matplotlib cannot read
                    font_manager.fontManager.addfont(path)
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in CHINESE_FONTS if name in installed]


def with_glyphs(figure: Any) -> Any:
    """The figure: what is Chinese in it gets a font that has its characters; if there is none, boxes and a sentence."""
    import matplotlib
    from matplotlib.text import Text
    foreign = [text for text in figure.findobj(Text) if CHINESE.search(text.get_text())]
    if foreign and not has_chinese_glyphs():
        print(f"No font for {foreign[0].get_text()!r} is installed, so boxes stand in the picture. Noto Sans CJK has "
              "one (on Debian: apt install fonts-noto-cjk).", file=sys.stderr)
    family = [*matplotlib.rcParams["font.family"], *_chinese_fonts()]
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if CHINESE.search("".join(labels)):     # which are made anew when the figure is drawn
            axis.set_tick_params(labelfontfamily=family)
            if not has_chinese_glyphs():
                axis.set_ticks(axis.get_ticklocs(), [CHINESE.sub("\u25a1", label) for label in labels])
    for text in foreign:
        text.set_fontfamily(family)
        if not has_chinese_glyphs():
            text.set_text(CHINESE.sub("\u25a1", text.get_text()))
    return figure
