"""The work of a batch, recorded: as a CUDA graph on a GPU, as prepared calls on a CPU."""
from __future__ import annotations

import numpy as np

from tinynet.device.arrays import on_gpu
from tinynet.device.compile import compiler
from tinynet.device.cuda_graph import CapturedWork
from tinynet.device.recorded_step import RecordedForward, RecordedStep
from tinynet.types import Any, Array, Function


def captured(work: Function, owners: Function, *step: Any) -> Any:
    """The function `work(size)`, which returns an array, as a `CapturedWork` or a `RecordedStep`.

    Parameters
        owners: a function that returns two lists: layers, which keep arrays from call to call in lists and dicts, such
            as buffers; and objects all of whose arrays are kept, such as the optimizer.
        step: the model whose step it is, and what else it uses: the data, and the sums of loss and metrics. Without
            them the work is not recorded on a CPU.
    """
    if on_gpu:
        return CapturedWork(work, owners)
    return RecordedStep(work, *step) if step and compiler() else work


def forward_of(model: Any) -> Any:
    """The function `forward(x)` of a model, recorded on a CPU and kept with the model."""
    if on_gpu:
        return model.forward
    forward = vars(model).get("_recorded_forward")
    if forward is None or forward.model is not model:       # copy.copy(model) shares it
        forward = vars(model)["_recorded_forward"] = RecordedForward(model)
    return forward


def predicted_again(model: Any, x: Any) -> Array | None:
    """The prediction for a batch like one before, of at most 32 samples; None for others."""
    forward = vars(model).get("_recorded_forward")
    if forward is None or forward.model is not model or type(x) is not np.ndarray or not x.ndim or len(x) > 32:
        return None
    return forward.again(x)
