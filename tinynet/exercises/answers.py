"""What a student has written, functions or a class, called with the arguments of a case."""
from __future__ import annotations

import contextlib
import inspect
import re
import signal
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Part, Text, copied
from tinynet.types import Any

SECONDS = 10        # after which a function is taken to run for ever


class Failure(Exception):
    """Why there is no result: a sentence in two languages."""

    def __init__(self, text: Text, not_yet: bool = False):
        super().__init__(text.en)
        self.text = text
        self.not_yet = not_yet


ENDLESS = Failure(Text(f"It took more than {SECONDS} seconds: does a loop never end?", f"运行超过 {SECONDS} 秒：是否有死循环？"))
MISSING = Text("There is no function {name}({takes}).", "没有函数 {name}({takes})。")


class Answers:
    """The functions of a student for one exercise, or the class that takes their place."""

    def __init__(self, exercise: Exercise, names: dict[str, Any]):
        self.exercise = exercise
        self.functions: dict[str, Any] = {part.name: names[part.name] for part in exercise.parts
                                          if callable(names.get(part.name))}
        cls = names.get(exercise.class_name)
        methods = [exercise.method(part) for part in exercise.parts]
        self.endless: set[str] = set()      # parts that took too long once, and are not called again
        self.cls: Any = cls if inspect.isclass(cls) and any(hasattr(cls, method) for method in methods) else None

    def __bool__(self) -> bool:
        return bool(self.functions or self.cls)

    def calls(self, part: Part, other: str) -> bool:
        """Whether a function calls another one by its name."""
        code = getattr(self.functions.get(part.name), "__code__", None)
        return code is not None and other in code.co_names

    def of(self, case: Case) -> dict[str, Any]:
        """The results of each part, by its name: see _outcome.  A class counts where all functions are still stubs."""
        sessions: list[Any] = [_Functions(self.functions)] if self.functions else []
        for session in [*sessions, *([_Instance(self.exercise, self.cls, case)] if self.cls else [])]:
            found = {part.name: ENDLESS if part.name in self.endless else _outcome(session, part, case)
                     for part in self.exercise.parts}
            self.endless |= {name for name, outcome in found.items() if outcome is ENDLESS}
            if not all(isinstance(outcome, Failure) and outcome.not_yet for outcome in found.values()):
                break
        return found


def _outcome(session, part, case):
    """The results of a part, each an array or a Failure; or the Failure that came in place of all of them."""
    try:
        with limited(SECONDS), np.errstate(all="ignore"):
            return _as_arrays(part, session.call(part, case))
    except Failure as failure:
        return failure
    except NotImplementedError:
        return Failure(LEFT if session.has_more_than_a_stub(part) else Text("", ""), not_yet=True)
    except TooLong:
        return ENDLESS
    except KeyboardInterrupt:
        raise
    except BaseException as error:      # of a student's code: also SystemExit
        return Failure(_of_error(error, part, case))


class _Functions:
    """Plain functions; forward may return (y, cache), and is then followed by backward(dy, cache)."""

    def __init__(self, functions):
        self.functions = functions
        self.cache: tuple[Any, ...] = ()

    def call(self, part: Part, case: Case) -> Any:
        if part.name not in self.functions:
            raise Failure(Text(*(text.format(name=part.name, takes=part.takes) for text in MISSING)), not_yet=True)
        function, arguments = self.functions[part.name], part.of(case)
        names = _names(function)
        if names is not None and sorted(names) == sorted(arguments):
            result = function(**arguments)
        elif part.follows_forward and self.cache:
            return function(arguments[part.arguments[0]], *self.cache)
        elif part.follows_forward and names is not None and len(names) == 2 < len(arguments):
            raise Failure(NO_CACHE, not_yet=True)
        else:
            result = function(*arguments.values())
        if part.name.endswith("forward") and isinstance(result, tuple) and len(result) == 2:
            result, self.cache = result[0], (result[1],)
        _unchanged(part, case, arguments)
        return result

    def has_more_than_a_stub(self, part: Part) -> bool:
        """Whether a function goes on after its `raise NotImplementedError`."""
        try:
            lines = inspect.getsource(self.functions[part.name]).strip().splitlines()
        except (OSError, TypeError):
            return False
        return "raise NotImplementedError" not in lines[-1]


class _Instance:
    """An object of a class, whose methods get the arguments that they name; gradients may be its attributes."""

    def __init__(self, exercise, cls, case):
        self.exercise = exercise
        self.cls = cls
        self.case = case
        self.object: Any = None
        self.calls: list[str] = []

    def call(self, part: Part, case: Case) -> Any:
        results: Any = self._called(part, case)
        if part.name.endswith("forward") and isinstance(results, tuple) and len(results) == 2:
            results, self.case = results[:1], self.case | {"cache": results[1]}
        return results

    def _called(self, part, case):
        name = self.exercise.method(part)
        if not callable(getattr(self.cls, name, None)):
            raise Failure(Text(f"{self.cls.__name__} has no method {name}.", f"{self.cls.__name__} 没有方法 {name}。"),
                          not_yet=True)
        if self.object is None:
            self.object = self.cls(**self._named(self.cls, part))
        if name == "backward" and "forward" in self.calls[:-1]:        # another method has run since, of other numbers
            self.object.forward(**self._named(self.object.forward, part))
        self.calls.append(name)
        arguments = self._named(getattr(self.object, name), part)
        results = getattr(self.object, name)(**arguments)
        _unchanged(part, case, arguments)
        results = results if isinstance(results, (tuple, dict)) else (results,)
        missing = part.results[len(results):]
        if missing and isinstance(results, tuple) and results[0] is not None:
            for name in missing:
                if not hasattr(self.object, name):
                    raise Failure(Text(f"Return {part.returns}, or keep the gradients as attributes: self.{name} is "
                                       "missing.", f"请返回 {part.returns}，或把梯度存为属性：缺少 self.{name}。"))
            results += tuple(getattr(self.object, name) for name in missing)
        return results

    def _named(self, method, part):
        """Copies of the arguments that a method, or the constructor, asks for, by name."""
        wanted = {}
        for p in inspect.signature(method).parameters.values():
            if p.kind is p.VAR_POSITIONAL or p.kind is p.VAR_KEYWORD:
                continue
            if p.name in self.case:
                wanted[p.name] = self.case[p.name] if p.name == "cache" else copied(self.case[p.name])
            elif p.default is p.empty:
                name = getattr(method, "__qualname__", part.name)
                raise Failure(Text(f"{name} asks for {p.name!r}. The task has: {', '.join(self.case)}.",
                                   f"{name} 需要参数 {p.name!r}，而题目只提供：{', '.join(self.case)}。"))
        return wanted

    def has_more_than_a_stub(self, part: Part) -> bool:
        """Not known of methods."""
        return False


NO_CACHE = Text("backward(dy, cache) needs the cache that forward returns as (y, cache): write forward first.",
                "backward(dy, cache) 需要 forward 以 (y, cache) 返回的 cache：请先写 forward。")
LEFT = Text("It still begins with `raise NotImplementedError`: delete that line.",
            "开头还留着 `raise NotImplementedError`：请删去这一行。")


def _names(function):
    """The names of the arguments of a function; None if they are not known, as of *arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    several = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    return None if several else [p.name for p in parameters]


def _unchanged(part, case, arguments):
    """Raise a Failure if a function has changed an argument; dy, which nobody reads again, it may."""
    for name, value in arguments.items():
        may_change = part.follows_forward and name == part.arguments[0]
        if isinstance(value, np.ndarray) and name in case and not may_change:
            if not np.array_equal(value, case[name], equal_nan=True):
                raise Failure(Text(
                    f"It changes the array {name} that it is given. Work on a copy: {name} = {name}.copy().",
                    f"它改变了传入的数组 {name}。请在副本上计算：{name} = {name}.copy()。"))


def _as_arrays(part, results):
    """The results, each an array or a Failure.  Raises Failure for another number of them."""
    count = len(part.results)
    if isinstance(results, dict) and set(part.results) <= set(results):
        results = tuple(results[name] for name in part.results)
    if count == 1 and not isinstance(results, tuple) or results is None:
        results = (results,)
    if isinstance(results, np.ndarray) and (not results.ndim or len(results) != count):
        results = (results,)
    if not isinstance(results, (tuple, list, np.ndarray)):
        results = (results,)
    if all(result is None for result in results):
        raise Failure(Text(f"It returns nothing: does it end with `return {part.returns}`?",
                           f"没有返回值：末尾是否有 `return {part.returns}`？"))
    if len(results) != count:
        raise Failure(Text(f"It must return {part.returns}, that is {count}, and returns {len(results)}.",
                           f"应返回 {part.returns}，共 {count} 个，实际返回 {len(results)} 个。"))
    return [_as_array(name, result) for name, result in zip(part.results, results)]


def _as_array(name, result):
    """A result as an array of floats, or a Failure."""
    if result is None:
        return Failure(Text(f"It returns None for {name}.", f"{name} 的返回值是 None。"), not_yet=True)
    try:
        array = np.asarray(result)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        return Failure(Text(f"{name} must be an array of real numbers, got {result!r:.60}.",
                            f"{name} 应为实数数组，得到 {result!r:.60}。"))
    return np.array(array, float)


def _of_error(error, part, case):
    """The error, the line it is in, and, as most errors are about shapes, the shapes of the arguments."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[2:]
              if not frame.filename.startswith(str(Path(np.__file__).parent))]
    said, shapes = f"{type(error).__name__}: {error}", shapes_of(part, case)
    if sizes := re.search(r"matmul: .*(\(size .*\))", said):
        said = f"ValueError: the inner sizes of @ do not fit {sizes[1]}".replace("size ", "")
    text = Text(f"{said}.", f"出错：{said}。")
    if frames and frames[-1].line:
        at = frames[-1].lineno, frames[-1].line
        text = Text("{} (line {}: {}).".format(said, *at), "出错：{}（第 {} 行：{}）。".format(said, *at))
    if "could not be broadcast" in said:
        text = Text(f"{text.en} Does a sum or mean need keepdims=True?", f"{text.zh}求和或平均是否需要 keepdims=True？")
    if isinstance(error, (ValueError, IndexError)) and shapes:
        return Text(f"{text.en} The shapes are {shapes}.", f"{text.zh}参数形状：{shapes}。")
    return text


def shapes_of(part: Part, case: Case) -> str:
    """The shapes of the arguments that are arrays: "dy (4,3), x (4,3)"."""
    shapes = {name: np.shape(case[name]) for name in part.arguments}
    return ", ".join(f"{name} {shape}".replace(", ", ",") for name, shape in shapes.items() if shape)


class TooLong(BaseException):
    """Not an Exception, which a student's `except` could swallow."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong after so many seconds, where the system has timers and this is the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TooLong
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)      # again, if an `except:` has swallowed it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def names_of(*work: Any) -> dict[str, Any]:
    """The functions and classes of modules and of dicts such as globals(), and those that are passed themselves.

    Of a module those that are defined in it: what it imports is not the student's.
    """
    names: dict[str, Any] = {}
    for one in work:
        if inspect.ismodule(one) or isinstance(one, dict):
            found = one if isinstance(one, dict) else vars(one)
            home = found.get("__name__")
            names |= {name: value for name, value in found.items()
                      if home is None or not (inspect.isfunction(value) or inspect.isclass(value)) or
                      value.__module__ == home}
        elif callable(one):
            names[getattr(one, "__name__", repr(one))] = one
        else:
            raise TypeError(f"grade expects a module, functions or a class, got {one!r:.60}. A file goes to "
                            "grade_file.")
    return names
