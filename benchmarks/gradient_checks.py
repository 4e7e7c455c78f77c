"""Wrong gradients that gradient checks catch, and right ones that they blame: tinynet beside PyTorch, JAX and SciPy.

    python -m pip install -e ".[bench]" && python benchmarks/gradient_checks.py

The cases are those of tests/support/gradient_cases.py: dense, convolution, pooling, normalization, LSTM, attention,
embedding ... with right gradients, and with mistakes that people make. Every tool that is installed sees the same
arrays in float64 and keeps its own step and tolerance. Writes benchmarks/results/gradient_checks.md.
"""
import sys
import time
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "support"))

from gradient_cases import HONEST, WRONG  # noqa: E402


def by_tinynet(forward, backward, arrays):
    from tinynet.gradient_check import check_function
    return check_function(forward, backward, *arrays).passed


def by_torch(forward, backward, arrays):
    """torch.autograd.gradcheck."""
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            given = [t.detach().numpy() if isinstance(t, torch.Tensor) else t for t in tensors]
            out, ctx.cache = forward(*given)
            ctx.floats = [isinstance(t, torch.Tensor) for t in tensors]
            return torch.as_tensor(np.array(out))

        @staticmethod
        def backward(ctx, dout):
            gradients = iter(backward(dout.detach().numpy().copy(), ctx.cache))
            return tuple(torch.as_tensor(np.array(next(gradients))) if f else None for f in ctx.floats)
    tensors = [torch.tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in arrays]
    return torch.autograd.gradcheck(Function.apply, tensors, raise_exception=False)


def by_jax(forward, backward, arrays):
    """jax.test_util.check_grads, order 1, in reverse mode."""
    import jax
    from jax.test_util import check_grads
    jax.config.update("jax_enable_x64", True)
    out = np.asarray(forward(*arrays)[0])

    def whole(given):
        return with_floats(arrays, map(np.array, given))

    @jax.custom_vjp
    def function(*given):
        return jax.pure_callback(lambda *g: np.asarray(forward(*whole(g))[0]),
                                 jax.ShapeDtypeStruct(out.shape, out.dtype), *given)

    def back(given, dout):
        shapes = [jax.ShapeDtypeStruct(a.shape, np.float64) for a in floats(arrays)]
        return tuple(jax.pure_callback(
            lambda d, *g: [np.asarray(x, np.float64) for x in backward(np.array(d), forward(*whole(g))[1])], shapes,
            dout, *given))
    function.defvjp(lambda *given: (function(*given), given), back)
    try:
        check_grads(function, floats(arrays), order=1, modes=["rev"])
        return True
    except AssertionError:
        return False


def by_scipy(forward, backward, arrays):
    """scipy.optimize.check_grad of sum(c out), which gives a distance: right is up to 1e-5 of the gradient's norm."""
    from scipy.optimize import check_grad
    bounds = np.cumsum([a.size for a in floats(arrays)])
    c = np.random.default_rng(0).standard_normal(np.shape(forward(*arrays)[0]))

    def whole(theta):
        parts = zip(np.split(theta, bounds[:-1]), floats(arrays))
        return with_floats(arrays, (part.reshape(a.shape) for part, a in parts))

    def gradient(theta):
        return np.concatenate([np.ravel(g) for g in backward(np.array(c), forward(*whole(theta))[1])])
    theta = np.concatenate([a.ravel() for a in floats(arrays)])
    distance = check_grad(lambda theta: (c * forward(*whole(theta))[0]).sum(), gradient, theta)
    return distance <= 1e-5 * max(1.0, float(np.linalg.norm(gradient(theta))))


def floats(arrays):
    """The arrays with respect to which there are gradients."""
    return [a for a in arrays if a.dtype.kind == "f"]


def with_floats(arrays, others):
    """All arrays, with others in place of those of floats."""
    others = iter(others)
    return [next(others) if a.dtype.kind == "f" else a for a in arrays]


TOOLS = {"tinynet.gradient_check.check_function": by_tinynet, "torch.autograd.gradcheck": by_torch,
         "jax.test_util.check_grads": by_jax, "scipy.optimize.check_grad": by_scipy}


def main():
    lines = [f"| | of {len(WRONG)} wrong gradients it catches | of {len(HONEST)} right ones it blames | seconds |",
             "| --- | --- | --- | --- |"]
    remarks = []
    for name, tool in TOOLS.items():
        try:
            start, blamed = time.perf_counter(), [case for case, made in HONEST.items() if not passes(tool, *made)]
        except ImportError as error:
            print(f"{name}: {error}")
            continue
        missed = [case for case, made in WRONG.items() if passes(tool, *made)]
        lines.append(f"| {name} | {len(WRONG) - len(missed)} | {len(blamed)} | {time.perf_counter() - start:.1f} |")
        remarks.append(f"{name} misses: {told(f'{case}, {mistake}' for case, mistake in missed)}. It blames: "
                       f"{told(blamed)}.")
        print(lines[-1], remarks[-1], sep="\n", flush=True)
    (HERE / "results" / "gradient_checks.md").write_text("\n".join([*lines, "", *(f"- {r}" for r in remarks), ""]))


def passes(tool, forward, backward, arrays):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tool(forward, backward, [np.asarray(a) for a in arrays(np.random.default_rng(1))])


def told(cases):
    return "; ".join(cases) or "none"


if __name__ == "__main__":
    main()
