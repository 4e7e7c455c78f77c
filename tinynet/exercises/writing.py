"""The file of an exercise: the task, functions to be filled in, and hints."""
from __future__ import annotations

from pathlib import Path as FilePath

import numpy as np

from tinynet.exercises.exercise import Exercise, Text
from tinynet.exercises.tasks import COURSE
from tinynet.text_width import wrapped
from tinynet.types import Path
from tinynet.validation import find

HEAD = Text('''"""Exercise {number} of {count}: {title}
{task}
Write the functions below. This shows your marks:

    python {file}

A class {class_name} may take their place, with the methods {methods}, whose
arguments have the names of the task.{cache} Hints are at the end of this file.
"""
import numpy as np
''', '''"""练习 {number}（共 {count} 个）：{title}
{task}
请补全下面的函数。运行以下命令查看评分：

    python {file}

也可以改为写一个类 {class_name}，方法为 {methods}；方法的参数使用题目中的名字，
参数按名传入。{cache}提示在文件末尾。
"""
import numpy as np
''')
CACHE = Text(" forward may return (y, cache): backward is then called as\nbackward(dy, cache).",
             "forward 也可以返回 (y, cache)，这时会调用 backward(dy, cache)。")
EXAMPLE = Text("# The example, in numbers:", "# 例子的数值：")
COLON = Text(":", "：")
SHAPE = Text(" of shape {shape}, without axes of length 1", "，形状 {shape}，省略长度为 1 的轴")
HINTS = Text("# Hints: read one, try again, and only then the next.", "# 提示：每次只读一条，自己再试一次；还不行，再读下一条。")


def new_file(name: str, folder: Path = ".", lang: str = "en") -> FilePath:
    """Write the file of an exercise, and return its path.

    Raises ValueError for an unknown name, and FileExistsError rather than write over a file.
    """
    exercise = find("exercise", name, COURSE)
    path = FilePath(folder) / f"{name}.py"
    text = text_of(exercise, lang)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileExistsError(f"{path} is there already, perhaps with your work in it. Move it away first.") from None
    return path


def text_of(exercise: Exercise, lang: str) -> str:
    """The text of the file."""
    number, methods = list(COURSE).index(exercise.name) + 1, [exercise.method(part) for part in exercise.parts]
    text = HEAD.said(lang, number=number, count=len(COURSE), title=exercise.title.said(lang),
                     file=f"{exercise.name}.py",
                     task=_task(exercise, lang), class_name=exercise.class_name,
                     methods={"en": ", ", "zh": "、"}[lang].join(methods),
                     cache=CACHE.said(lang) if exercise.parts[-1].follows_forward else "")
    for part in exercise.parts:
        text += f'\n\ndef {part.name}({part.takes}):\n    """{part.docstring(lang)}"""\n    raise NotImplementedError\n'
    text += "\n\n" + _example(exercise, lang) + "\n\n" + HINTS.said(lang) + "\n"
    for i, hint in enumerate(exercise.hints, 1):
        text += "#\n" + "\n".join(wrapped(f"{i}. {hint.said(lang)}", 100, "# ")) + "\n"
    option = "" if lang == "en" else f', lang="{lang}"'
    return text + (f'\n\nif __name__ == "__main__":\n    from tinynet.exercises import grade\n'
                   f'    print(grade(globals(){option}))\n')


def _task(exercise, lang):
    """The task, in lines of at most 110 columns: a Chinese character takes two."""
    if lang == "en":
        return exercise.task.en
    paragraphs = []
    for text in exercise.task.zh.split("\n\n"):
        formula = text.lstrip("\n").startswith("    ")
        paragraphs.append(text if formula else "\n".join(wrapped(text.replace("\n", ""), 110, "")))
    return "\n" + "\n\n".join(paragraphs).strip("\n") + "\n"


def _example(exercise, lang):
    """The example, as comments: the arguments, and what each function returns for them."""
    lines, case = [EXAMPLE.said(lang), "#"], exercise.example
    for name in dict.fromkeys(name for part in exercise.parts for name in part.arguments):
        lines += _number(name, case[name], lang)
    for part in exercise.parts:
        lines += ["#", f"# {part.name}({part.takes}):"]
        for name, result in zip(part.results, part.right(case)):
            lines += _number(name, result, lang)
    return "\n".join(lines)


def _number(name, value, lang):
    """name = value, as comments; an array of many axes without those of length 1."""
    if not np.ndim(value):
        return [f"#     {name} = {value if isinstance(value, bool) else format(float(value), '.6g')}"]
    shape = SHAPE.said(lang, shape=np.shape(value)) if np.ndim(value) > 2 else ""
    value = np.squeeze(value) if shape else np.asarray(value)
    shown = np.array2string(value, precision=4, suppress_small=True, separator=", ", max_line_width=90)
    first, *more = shown.splitlines()
    if not shape:
        return [f"#     {name} = {first}", *(f"#     {' ' * len(name)}   {line}" for line in more)]
    return [f"#     {name}{shape}{COLON.said(lang)}", *(f"#         {line}" for line in [first, *more])]
