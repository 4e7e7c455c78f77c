"""Fashion-MNIST: 70,000 images of clothes in MNIST's format, read from files that you have.

By Xiao, Rasul and Vollgraf, arXiv:1708.07747; the four files have MNIST's names.
"""
from __future__ import annotations

from pathlib import Path

from tinynet.datasets.download import keras_folder
from tinynet.datasets.mnist import FILES, read_idx
from tinynet.types import Split


def load_data(path: str | Path | None = None) -> Split:
    """`(x_train, y_train), (x_test, y_test)`, shaped like MNIST's; the classes 0 to 9 are T-shirt, trouser, pullover,
    dress, coat, sandal, shirt, sneaker, bag and ankle boot.

    Parameters
        path: the folder of the four original .gz files; by default Keras's, datasets/fashion-mnist in $KERAS_HOME or
            ~/.keras.

    Raises ValueError for a file that is missing, truncated, damaged or of another shape.
    """
    folder = Path(path) if path is not None else keras_folder() / "datasets" / "fashion-mnist"
    if not folder.is_dir():
        raise ValueError(f"fashion_mnist.load_data: there is no folder {str(folder)!r}. Put {', '.join(FILES)} of "
                         "Fashion-MNIST there, or give the folder that holds them as path.")
    images, labels, test_images, test_labels = (
        read_idx(folder / name, None, shape) for name, (_, shape) in FILES.items())
    return (images, labels), (test_images, test_labels)
