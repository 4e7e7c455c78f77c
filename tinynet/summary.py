"""The table of a model's layers, in the words and widths of Keras 2.3.1; it must not know what the layers compute."""
from __future__ import annotations

from tinynet.arguments import whole_number

__all__ = ["print_summary"]


def print_summary(model, line_length=None, positions=None, print_fn=None):
    """Print the layers, their output shapes and numbers of parameters.

    Parameters
        line_length: 65 by default.
        positions: where the three columns end, as parts of it (or as columns, when the last is above 1).
        print_fn: called with each line; print by default.

    Raises ValueError before the model is built, and for columns that are none.
    Source: keras/utils/layer_utils.py of Keras 2.3.1.
    """
    if not model.built:
        raise ValueError("This model has not yet been built. Build it first by calling build((None, D)) or fit() "
                         "with some data, or give the first layer an input_shape.")
    width = 65 if line_length is None else whole_number("line_length", line_length, least=1, below=10_001)
    positions, print_fn = [0.45, 0.85, 1.0] if positions is None else positions, print_fn or print
    if not isinstance(positions, (list, tuple)) or len(positions) != 3 or not all(
            isinstance(p, (int, float)) and 0 <= p <= 10_000 for p in positions):
        raise ValueError(f"positions must be three numbers, where the columns end, got {positions!r}.")
    ends = [int(width * p if positions[-1] <= 1 else p) for p in positions]

    def row(*fields):
        line = ""
        for end, field in zip(ends, fields):
            line = line[:-1] + " " if line else line
            line = (line + str(field))[:end].ljust(end)
        print_fn(line)

    print_fn(f'Model: "{model.name}"')
    print_fn("_" * width)
    row("Layer (type)", "Output Shape", "Param #")
    print_fn("=" * width)
    for layer in model.layers:
        row(f"{layer.name} ({type(layer).__name__})", layer.output_shape, layer.count_params())
        print_fn(("=" if layer is model.layers[-1] else "_") * width)
    trainable = sum(p.value.size for p in model.trainable_weights)
    print_fn(f"Total params: {model.count_params():,}")
    print_fn(f"Trainable params: {trainable:,}")
    print_fn(f"Non-trainable params: {model.count_params() - trainable:,}")
    print_fn("_" * width)
