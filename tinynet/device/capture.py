"""The work of a batch, recorded: as a CUDA graph on a GPU, as prepared calls on a CPU."""
from tinynet.device.arrays import on_gpu
from tinynet.device.compile import compiler
from tinynet.device.cuda_graph import CapturedWork
from tinynet.device.recorded_step import RecordedForward, RecordedStep


def captured(work, owners, *step):
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


def forward_of(model):
    """The function `forward(x)` of a model, recorded on a CPU and kept with the model."""
    if on_gpu:
        return model.forward
    kept = vars(model).setdefault("_recorded_forward", Kept())
    kept.value = kept.value or RecordedForward(model)
    return kept.value


class Kept:
    """What a copy of a model begins without."""

    def __init__(self):
        self.value = None

    def __reduce__(self):
        return Kept, ()
