"""The hints of the gradient check in Chinese."""
from __future__ import annotations

import re

# {} stands for what differs: a number, or "3 of 12 numbers".
SENTENCES = {
    "Everywhere zero: is this gradient forgotten?": "处处为零：是不是忘了这个梯度？",
    "Everywhere N = {} times as large as it should be: is a division by N forgotten?": "处处都是正确值的 N = {} 倍：是不是忘了除以 N？",
    "Everywhere divided by N = {}: is there a mean in place of a sum?": "处处多除了一个 N = {}：该求和的地方是否用了平均？",
    "The sign is wrong everywhere.": "处处符号相反。",
    "Everywhere twice as large as it should be: is a factor 2 too many?": "处处都是正确值的两倍：是否多了系数 2？",
    "Everywhere half as large as it should be: is a factor 2 missing?": "处处都是正确值的一半：是否缺少系数 2？",
    "Everywhere {} times what it should be: is a factor missing, or one too many?": "处处都是正确值的 {} 倍：是否缺少或多了一个因子？",
    "Right to six digits: is a part of it float32, or a small constant, such as an epsilon, left out?":
        "前六位正确：是否有一部分是 float32，或漏了 epsilon 这样的小常数？",
    "Transposed.": "结果被转置了。",
    "In reverse order along axis {}.": "沿轴 {} 的顺序反了。",
    "The right numbers at the wrong places.": "数值正确，位置错误。",
    "Zero at {} of {} numbers, the others are right: is something forgotten there?": "{1} 个数中有 {0} 个误为零，其余正确：那里是否漏了什么？",
    "Not zero at {} of {} numbers that should be, the others are right: is a mask forgotten?":
        "{1} 个数中有 {0} 个本应为零却不为零，其余正确：是不是忘了掩码？",
    "The sign is wrong at {} of {} numbers, the others are right.": "{1} 个数中有 {0} 个符号相反，其余正确。",
    "Right for the first index of axis {} only.": "只有轴 {} 的第一个下标处是对的。",
    "Right for the last index of axis {} only.": "只有轴 {} 的最后一个下标处是对的。",
    "Everywhere {} too large.": "处处大了 {}。",
    "Off by the same number along axis {}: is a sum or a mean along it missing?": "沿轴 {} 相差同一个数：是否缺少沿该轴的求和或平均？",
    "Wrong by a factor that is the same along axis {}.": "沿轴 {} 都差同一个倍数。",
}
PATTERNS = {re.compile(re.escape(english).replace(r"\{\}", "(.+?)") + "$"): chinese
            for english, chinese in SENTENCES.items()}


def in_chinese(hint: str) -> str:
    """A hint of `gradient_check.hints` in Chinese.

    >>> in_chinese("Everywhere divided by N = 4: is there a mean in place of a sum?")
    '处处多除了一个 N = 4：该求和的地方是否用了平均？'
    """
    for pattern, chinese in PATTERNS.items():
        if match := pattern.match(hint):
            return chinese.format(*match.groups())
    return hint
