"""What Keras 2.3.1 has and tinynet does not: importing it is an ImportError that says why, and what to use instead."""
from __future__ import annotations

import ast
import fnmatch
import functools
import importlib
import linecache
import sys
import warnings

from tinynet.types import Any

NO_CONVOLUTIONS = ("tinynet has no convolutions: one stack of dense layers is enough to learn backprop, and they would "
                   "double the code. Flatten images and use Dense, or use Keras or PyTorch.")
NO_RECURRENCE = ("tinynet has no recurrent layers and no sequences of unequal length: one stack of dense layers is "
                 "enough to learn backprop. Use rows of fixed length, such as word counts, with Dense; or use Keras or "
                 "PyTorch.")
NO_BRANCHES = ("tinynet has no models with branches, several inputs or shared layers: one stack of layers is enough to "
               "learn backprop. Join columns before training by np.concatenate, or use Keras or PyTorch.")
NO_DERIVATIVES = ("tinynet does not differentiate functions: each layer has a backward written by hand. Write a Layer "
                  "with forward and backward, which tinynet.gradient_check tests; the docstring of "
                  "tinynet.layers.Layer says how.")
NO_TEXT = ("tinynet does not process texts: use CountVectorizer or TfidfVectorizer of scikit-learn, whose rows of "
           "numbers Dense layers can read.")
NO_IMAGES = ("tinynet does not load or change images: make batches by a generator or a tinynet.utils.Sequence of your "
             "own.")

# {module: {why, and what instead: patterns of names}}
NAMES = {
    "layers": {
        NO_CONVOLUTIONS: "*Conv[123oL]* *Pool* Cropping* UpSampling* ZeroPadding* Deconvolution* LocallyConnected* "
                         "SpatialDropout*",
        NO_RECURRENCE: "*RNN* *GRU* *LSTM* *Recurrent* Bidirectional TimeDistributed Masking RepeatVector Permute "
                       "Embedding",
        NO_BRANCHES: "[aA]dd [sS]ubtract [mM]ultiply [aA]verage [mM]aximum [mM]inimum [cC]oncatenate [dD]ot [mM]erge",
        NO_DERIVATIVES: "Lambda MaxoutDense Highway",
        "Scale the data before training: sklearn.preprocessing.StandardScaler, fitted on the training data alone.":
            "Normalization"},
    "callbacks": {
        "tinynet writes no files for TensorBoard: CSVLogger writes each epoch's numbers, tinynet.plotting.plot_history "
        "draws them, and model.explain_step(x, y) shows every gradient.": "TensorBoard",
        "tinynet sends nothing over a network: use LambdaCallback(on_epoch_end=...).": "RemoteMonitor",
        "BaseLogger is part of training here: the logs of an epoch are means over all samples.": "BaseLogger"},
    "utils": {
        "tinynet trains in several processes, each with its GPU: see tinynet.distributed.": "multi_gpu_model",
        "Read the arrays with h5py, and pass them to fit, or a tinynet.utils.Sequence of them.": "HDF5Matrix H5Dict",
        "tinynet makes batches one by one, without queues: pass the generator or Sequence to fit.": "*Enqueuer"},
    "metrics": {
        "It is for images of classes: write a function of y_true and y_pred, which any metric may be.": "MeanIoU"},
    "optimizers": {
        "Write an Optimizer with step(p, g, lr, *slots): a formula for two vectors.": "TFOptimizer"},
    "preprocessing": {NO_IMAGES: "image ImageDataGenerator", NO_TEXT: "text sequence Tokenizer pad_sequences"},
}

# Modules, of which everything is refused
MODULES = {
    "layers.convolutional": NO_CONVOLUTIONS, "layers.pooling": NO_CONVOLUTIONS, "layers.local": NO_CONVOLUTIONS,
    "layers.recurrent": NO_RECURRENCE, "layers.embeddings": NO_RECURRENCE, "layers.cudnn_recurrent": NO_RECURRENCE,
    "layers.convolutional_recurrent": NO_RECURRENCE, "layers.wrappers": NO_RECURRENCE, "layers.merge": NO_BRANCHES,
    "preprocessing": NO_TEXT, "preprocessing.text": NO_TEXT, "preprocessing.sequence": NO_TEXT,
    "preprocessing.image": NO_IMAGES, "applications": NO_CONVOLUTIONS,
    "datasets.cifar100": "tinynet loads mnist, fashion_mnist, boston_housing, reuters, imdb and cifar10.",
    "utils.multi_gpu_utils": "tinynet trains in several processes, each with its GPU: see tinynet.distributed.",
    **{f"applications.{name}": NO_CONVOLUTIONS for name in (
        "vgg16 vgg19 resnet resnet50 inception_v3 inception_resnet_v2 xception mobilenet mobilenet_v2 densenet nasnet "
        "imagenet_utils").split()},
}


def reason(module: str, name: str) -> str | None:
    """Why tinynet refuses this name in a module, None if it does not."""
    found = (why for why, patterns in NAMES.get(module, {}).items() for pattern in patterns.split()
             if fnmatch.fnmatchcase(name, pattern))
    return next(found, MODULES.get(module))


def refuse(module: str, name: str, why: str | None) -> Any:
    """Raise ImportError for a name of Keras, or AttributeError if it is not imported but asked for, as by hasattr.

    Old scripts often import more than they need: what a script only imports and never uses becomes a stand-in.
    """
    message = f"tinynet.{module} has no {name}. {why}"
    frame: Any = sys._getframe(2)
    asks_first = frame.f_code.co_filename.startswith("<frozen importlib")       # import, whether there is such a name
    while frame.f_code.co_filename.startswith(("<frozen importlib", __file__[:-len("refused.py")])):
        frame = frame.f_back
    if _needs(frame, name):
        raise (ImportError if asks_first else AttributeError)(message)
    if not asks_first:
        warnings.warn_explicit(f"{message} Nothing here uses it, so the import is ignored.", UserWarning,
                               frame.f_code.co_filename, frame.f_lineno)
    return Unused(message)


def _needs(frame, name) -> bool:
    """Whether the file of this frame uses a name that it imports.

    True if that cannot be known: only what a statement at the top of a file imports, and no other line mentions, is
    certainly not needed.
    """
    source = "" if frame.f_code.co_filename.startswith("<") else "".join(linecache.getlines(frame.f_code.co_filename))
    tree = ast.parse(source) if source else ast.Module([], [])
    imported = [alias.asname or name for statement in tree.body if isinstance(statement, ast.ImportFrom)
                and statement.lineno <= frame.f_lineno <= (statement.end_lineno or 0)
                for alias in statement.names if alias.name == name]
    return not imported or any(isinstance(node, ast.Name) and node.id in imported for node in ast.walk(tree))


class Unused:
    """Stands for a name that is imported and not used; using it is an ImportError."""

    def __init__(self, message: str):
        self._message = message

    def _refuse(self, *arguments, **options):
        raise ImportError(self._message)

    __call__ = __mro_entries__ = _refuse

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name) if name.startswith("__") else ImportError(self._message)


def _of_module(module, before, name):
    """The `__getattr__` of a module that refuses names, and else asks the one before."""
    why = reason(module, name)
    if why is not None:
        return refuse(module, name, why)
    if before is not None:
        return before(name)
    raise AttributeError(f"module 'tinynet.{module}' has no attribute {name!r}")


def install() -> None:
    """Let the modules of tinynet refuse names of Keras by a sentence."""
    for module in NAMES.keys() - {"preprocessing"}:
        there = importlib.import_module(f"tinynet.{module}")
        vars(there)["__getattr__"] = functools.partial(_of_module, module, vars(there).get("__getattr__"))
