"""What a student has written, functions or a class, called with the arguments of a case."""
from __future__ import annotations

import contextlib
import inspect
import signal
import threading
import traceback
from collections.abc import Iterator

import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Part, Text
from tinynet.types import Any

SECONDS = 10        # after which a function is taken to run for ever


class Failure(Exception):
    """Why there is no result: a sentence in two languages."""

    def __init__(self, text: Text, not_yet: bool = False):
        super().__init__(text.en)
        self.text = text
        self.not_yet = not_yet


MISSING = Text("There is no function {name}({takes}).", "没有函数 {name}({takes})。")


class Answers:
    """The functions of a student for one exercise, or the class that takes their place."""

    def __init__(self, exercise: Exercise, names: dict[str, Any]):
        self.exercise = exercise
        self.functions = {part.name: names[part.name] for part in exercise.parts if part.name in names}
        cls = names.get(exercise.class_name)
        self.cls = cls if inspect.isclass(cls) and not self.functions else None

    def __bool__(self) -> bool:
        return bool(self.functions or self.cls)

    def of(self, case: Case) -> dict[str, Any]:
        """The results of each part, by its name: a tuple, or a Failure."""
        session = _Instance(self.exercise, self.cls, case) if self.cls else _Functions(self.functions)
        return {part.name: _outcome(session, part, case) for part in self.exercise.parts}


def _outcome(session, part, case):
    """The results of a part as arrays, or the Failure that came in place of them."""
    try:
        with _limited(SECONDS), np.errstate(all="ignore"):
            return _as_arrays(part, session.call(part, case))
    except Failure as failure:
        return failure
    except NotImplementedError:
        return Failure(Text("", ""), not_yet=True)
    except _TooLong:
        return Failure(Text(f"It took more than {SECONDS} seconds: does a loop never end?",
                            f"运行超过 {SECONDS} 秒：是否有死循环？"))
    except (Exception, SystemExit) as error:
        return Failure(_of_error(error, part, case))


class _Functions:
    """Plain functions; forward may return (y, cache), and is then followed by backward(dy, cache)."""

    def __init__(self, functions):
        self.functions = functions
        self.cache: tuple[Any, ...] = ()

    def call(self, part: Part, case: Case) -> Any:
        if part.name not in self.functions:
            raise Failure(Text(*(text.format(name=part.name, takes=part.takes) for text in MISSING)), not_yet=True)
        arguments = list(part.of(case).values())
        if self.cache and part.name.endswith("backward"):
            arguments = [arguments[0], *self.cache]
        result = self.functions[part.name](*arguments)
        if part.name.endswith("forward") and isinstance(result, tuple) and len(result) == 2:
            result, self.cache = result[0], (result[1],)
        _unchanged(part, case, arguments)
        return result


class _Instance:
    """An object of a class, whose methods get the arguments that they name; gradients may be its attributes."""

    def __init__(self, exercise, cls, case):
        self.exercise = exercise
        self.cls = cls
        self.case = {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in case.items()}
        self.object: Any = None

    def call(self, part: Part, case: Case) -> Any:
        method = getattr(self.cls, name := self.exercise.method(part), None)
        if not callable(method):
            raise Failure(Text(f"{self.cls.__name__} has no method {name}.", f"{self.cls.__name__} 没有方法 {name}。"),
                          not_yet=True)
        if self.object is None:
            self.object = self.cls(**self._named(self.cls.__init__))
        results = getattr(self.object, name)(**self._named(method))
        results = results if isinstance(results, tuple) else (results,)
        missing = part.results[len(results):]
        if missing and results[0] is not None:
            for name in missing:
                if not hasattr(self.object, name):
                    raise Failure(Text(f"Return {part.returns}, or keep the gradients as attributes: self.{name} is "
                                       "missing.", f"请返回 {part.returns}，或把梯度存为属性：缺少 self.{name}。"))
            results += tuple(getattr(self.object, name) for name in missing)
        return results

    def _named(self, method):
        """The arguments that a method asks for, by name."""
        parameters = list(inspect.signature(method).parameters.values())[1:] if method is not object.__init__ else []
        wanted = {}
        for p in parameters:
            if p.name in self.case:
                wanted[p.name] = self.case[p.name]
            elif p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                raise Failure(Text(
                    f"{method.__qualname__} asks for {p.name!r}. The task has: {', '.join(self.case)}.",
                    f"{method.__qualname__} 需要 {p.name!r}。题目中有：{', '.join(self.case)}。"))
        return wanted


def _unchanged(part, case, arguments):
    """Raise a Failure if a function has changed an argument; dy, which nobody reads again, it may."""
    for name, value in zip(part.arguments[:len(arguments)], arguments):
        if isinstance(value,
                      np.ndarray) and name in case and not (name.startswith("d") and part.name.endswith("backward")):
            if not np.array_equal(value, case[name], equal_nan=True):
                raise Failure(Text(f"It changes the array {name} that it is given. Work on a copy: {name} = "
                                   f"{name}.copy().",
                                   f"它改变了传入的数组 {name}。请在副本上计算：{name} = {name}.copy()。"))


def _as_arrays(part, results):
    """The results as a tuple of arrays.  Raises Failure for another number, and for what is no array of numbers."""
    several = isinstance(results, (tuple, list)) and (len(part.results) > 1 or isinstance(results, tuple))
    results = tuple(results) if several else (results,)
    if len(results) != len(part.results):
        raise Failure(Text(f"It must return {part.returns}, that is {len(part.results)}, and returns {len(results)}.",
                           f"应返回 {part.returns}，共 {len(part.results)} 个，实际返回 {len(results)} 个。"))
    arrays = []
    for name, result in zip(part.results, results):
        if result is None:
            raise Failure(Text(f"It returns nothing for {name}: does it end with `return {part.returns}`?",
                               f"没有返回 {name}：末尾是否有 `return {part.returns}`？"))
        try:
            array = np.asarray(result)
        except ValueError:
            array = np.asarray(None)
        if array.dtype.kind not in "biuf":
            raise Failure(Text(f"{name} must be an array of real numbers, got {result!r:.60}.",
                               f"{name} 应为实数数组，得到 {result!r:.60}。"))
        arrays.append(array.astype(float))
    return tuple(arrays)


def _of_error(error, part, case):
    """The error, the line it is in, and, as most errors are about shapes, the shapes of the arguments."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[2:]
              if "/numpy/" not in frame.filename.replace("\\", "/")]
    line = f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""
    shapes = shapes_of(part, case)
    said = f"{type(error).__name__}: {error}{line}."
    if isinstance(error, (ValueError, IndexError)) and shapes:
        return Text(f"{said} The shapes are {shapes}.", f"{said} 形状：{shapes}。")
    return Text(said, said)


def shapes_of(part: Part, case: Case) -> str:
    """The shapes of the arguments that are arrays: "dy (4,3), x (4,3)"."""
    shapes = {name: np.shape(case[name]) for name in part.arguments}
    return ", ".join(f"{name} {shape}".replace(", ", ",") for name, shape in shapes.items() if shape)


class _TooLong(BaseException):
    """Not an Exception, which a student's `except` could swallow."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TooLong after so many seconds, where the system has timers and this is the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise _TooLong
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def names_of(*work: Any) -> dict[str, Any]:
    """The functions and classes of modules, of dicts such as globals(), and those that are passed themselves."""
    names: dict[str, Any] = {}
    for one in work:
        if inspect.ismodule(one):
            names |= vars(one)
        elif isinstance(one, dict):
            names |= one
        elif callable(one):
            names[getattr(one, "__name__", repr(one))] = one
        else:
            raise TypeError(f"grade expects a module, functions or a class, got {one!r:.60}. A file goes to "
                            f"grade_file.")
    return names
