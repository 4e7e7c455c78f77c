"""The table of a model's layers, in the words and widths of Keras 2.3.1; it must not know what the layers compute."""
from __future__ import annotations

__all__ = ["print_summary"]


def print_summary(model, line_length=None, positions=None, print_fn=None):
    """Print the layers, their output shapes and numbers of parameters.

    Parameters
        line_length: 65 by default.
        positions: where the three columns end, as parts of it (or as columns, when the last is above 1).
        print_fn: called with each line; print by default.

    Raises ValueError before the model is built.
    Source: keras/utils/layer_utils.py of Keras 2.3.1.
    """
    if not model.built:
        raise ValueError("This model has not yet been built. Build it first by calling build((None, D)) or fit() "
                         "with some data, or give the first layer an input_shape.")
    width, positions, print_fn = line_length or 65, positions or [0.45, 0.85, 1.0], print_fn or print
    ends = [int(width * p) for p in positions] if positions[-1] <= 1 else positions

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
