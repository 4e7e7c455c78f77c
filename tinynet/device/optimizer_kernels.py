"""One step of each optimizer as a kernel: the formula of its `step`, for a single number of each vector."""
from __future__ import annotations

import re

from tinynet.types import Any


# By the class and the vectors that it keeps. T is float or double; rate is the learning rate after decay, and lr the
# same as a T; t = 1, 2, 3 ...
STEPS = {
    "SGD": "p -= lr * g;",
    "SGD velocity": """velocity = (T)momentum * velocity - lr * g;
        p += nesterov ? (T)momentum * velocity - lr * g : velocity;""",
    "RMSprop mean_square": """mean_square = mean_square * (T)rho + (T)(1 - rho) * g * g;
        p -= lr * g / (sqrt(mean_square) + (T)epsilon);""",
    "Adagrad sum_of_squares": """sum_of_squares = sum_of_squares + g * g;
        p -= lr * g / (sqrt(sum_of_squares) + (T)epsilon);""",
    "Adadelta mean_square mean_square_step": """mean_square = mean_square * (T)rho + (T)(1 - rho) * g * g;
        T step = g * sqrt(mean_square_step + (T)epsilon) / sqrt(mean_square + (T)epsilon);
        p -= lr * step;
        mean_square_step = mean_square_step * (T)rho + (T)(1 - rho) * step * step;""",
    "Adam mean mean_square": """mean = mean * (T)beta_1 + (T)(1 - beta_1) * g;
        mean_square = mean_square * (T)beta_2 + (T)(1 - beta_2) * g * g;
        p -= (T)(rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t))) * mean / (sqrt(mean_square) + (T)epsilon);""",
    "Adam mean mean_square max_mean_square": """mean = mean * (T)beta_1 + (T)(1 - beta_1) * g;
        mean_square = mean_square * (T)beta_2 + (T)(1 - beta_2) * g * g;
        max_mean_square = larger(max_mean_square, mean_square);
        T rate_t = (T)(rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)));
        p -= rate_t * mean / (sqrt(max_mean_square) + (T)epsilon);""",
    "Adamax mean largest": """mean = mean * (T)beta_1 + (T)(1 - beta_1) * g;
        largest = larger(largest * (T)beta_2, g < 0 ? -g : g);
        p -= (T)(rate / (1 - pow(beta_1, t))) * mean / (largest + (T)epsilon);""",
    "Nadam mean mean_square": """double mu = beta_1 * (1 - 0.5 * pow(0.96, t * schedule_decay));
        double next = beta_1 * (1 - 0.5 * pow(0.96, (t + 1) * schedule_decay));
        mean = mean * (T)beta_1 + (T)(1 - beta_1) * g;
        mean_square = mean_square * (T)beta_2 + (T)(1 - beta_2) * g * g;
        T ahead = (T)((1 - mu) / (1 - step_state[2])) * g + (T)(next / (1 - step_state[2] * next)) * mean;
        p -= lr * ahead / (sqrt(mean_square / (T)(1 - pow(beta_2, t))) + (T)epsilon);""",
}
CONSTANTS = ("momentum", "nesterov", "rho", "beta_1", "beta_2", "schedule_decay", "epsilon")


def formula(optimizer: Any) -> tuple[str, list[str]]:
    """(the formula, the names of the constants in it) of an optimizer; ("", []) if only its `step` has the formula.

    Your own optimizer may have both as its attributes `cuda` and `constants`.
    """
    if getattr(optimizer, "cuda", ""):
        return optimizer.cuda, list(optimizer.constants)
    step = type(optimizer).step
    derived = [cls for cls in type(optimizer).__mro__ if cls.__module__.split(".")[0] not in ("tinynet", "builtins")]
    changed = {name for thing in (*derived, optimizer) for name in vars(thing) if hasattr(vars(thing)[name], "__get__")}
    own = all(name.startswith("__") or name == "get_config" for name in changed)    # nothing is computed in another way
    text = STEPS.get(" ".join([step.__qualname__.split(".")[0], *optimizer.slot_names]), "") if own else ""
    return text, constants_in(text)


def kernel_name(optimizer: Any) -> str:
    """The name of the kernel of an optimizer's formula."""
    return "_".join(["update", type(optimizer).step.__qualname__.split(".")[0], *optimizer.slot_names])


def source(optimizer: Any) -> str:
    """The kernel of an optimizer: reads lr and t from the optimizer's step_state."""
    text, constants = formula(optimizer)
    return kernel(kernel_name(optimizer), text, optimizer.slot_names, constants)


def kernel(kernel_name: str, text: str, slot_names: list[Any] | tuple[Any, ...], constants: list[Any]) -> str:
    """The text of a kernel around a formula."""
    names = ["p", "g", *slot_names]
    pointers = ", ".join(f"ROWS {'const ' if name == 'g' else ''}T* {name}_" for name in names)
    doubles = "".join(f"double {name}, " for name in constants)
    loads = " ".join(f"T {name} = {name}_[i];" for name in names)
    stores = " ".join(f"{name}_[i] = {name};" for name in names if name != "g")
    return f"""
KERNEL {kernel_name}({pointers}, const double* step_state, double decay, {doubles}long long size) {{
    double rate = step_state[0] / (1 + decay * step_state[1]), t = step_state[1] + 1;
    T lr = (T)rate;
    for EACH(i, size) {{
        {loads}
        {text}
        {stores}
    }}
    (void)t;
}}
"""


def all_kernels() -> str:
    """The kernels of all optimizers of tinynet."""
    return "".join(kernel(f"update_{key.replace(' ', '_')}", text, key.split()[1:], constants_in(text))
                   for key, text in STEPS.items())


def constants_in(text: str) -> list[str]:
    """The names of an optimizer's constants in a formula."""
    return [name for name in CONSTANTS if re.search(rf"\b{name}\b", text)]
