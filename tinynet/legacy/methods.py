"""Methods of a model that Keras 2.3.1 has kept from earlier versions."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinynet.types import Any, ArrayLike, Config, Objects
from tinynet.validation import backward_is_gone


class OlderMethods:
    """What a `Model` has by these names too."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "Model" in [base.__name__ for base in cls.__bases__] and "layers" not in dir(cls):
            raise TypeError(f"{cls.__name__} is a Model with code of its own, which tinynet cannot differentiate. "
                            "Derive it from Sequential, whose layers have a backward each.")

    layers: Any         # for type checkers: a Sequential defines these
    built: Any
    input_shape: Any
    output_shape: Any
    summary: Any
    count_params: Any
    get_layer: Any
    get_weights: Any
    set_weights: Any
    fit: Any
    evaluate: Any
    predict: Any
    to_json: Any
    input: Any
    output: Any
    functional: Any     # the class of Model(inputs, outputs)
    backward = backward_is_gone

    def fit_generator(self, generator: Any, steps_per_epoch: float | None = None, epochs: int = 1, verbose: int = 1,
                      callbacks: Any = None, validation_data: Any = None,
                      validation_steps: float | None = None, validation_freq: Any = 1,
                      class_weight: Mapping[Any, float] | None = None, max_queue_size: int = 10, workers: int = 1,
                      use_multiprocessing: bool = False, shuffle: bool | str = True, initial_epoch: int = 0) -> Any:
        """`fit`, under its name for generators."""
        return self.fit(generator, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data,
                        shuffle=shuffle, class_weight=class_weight, initial_epoch=initial_epoch,
                        steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
                        validation_freq=validation_freq)

    def evaluate_generator(self, generator: Any, steps: float | None = None, callbacks: Any = None,
                           max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
                           verbose: int = 0) -> Any:
        """`evaluate`, under its name for generators."""
        return self.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    def predict_generator(self, generator: Any, steps: float | None = None, callbacks: Any = None,
                          max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
                          verbose: int = 0) -> np.ndarray:
        """`predict`, under its name for generators."""
        return self.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    def predict_classes(self, x: ArrayLike, batch_size: int | None = None, verbose: int = 0) -> np.ndarray:
        """The most probable class of each sample; for a single output 1 where it is above one half, as (N, 1)."""
        p = self.predict(x, batch_size, verbose)
        return p.argmax(axis=-1) if p.shape[-1] > 1 else (p > 0.5).astype("int32")

    def predict_proba(self, x: ArrayLike, batch_size: int | None = None, verbose: int = 0) -> np.ndarray:
        """`predict`, for outputs that are probabilities."""
        return self.predict(x, batch_size, verbose)

    def to_yaml(self, **options: Any) -> str:
        """`to_json`: JSON is YAML."""
        return self.to_json()

    @property
    def inputs(self) -> list[Any]:
        """The tensor of the inputs, in a list."""
        return [self.input]

    @property
    def outputs(self) -> list[Any]:
        """The tensor of the outputs, in a list."""
        return [self.output]

    @classmethod
    def from_config(cls, config: Config, custom_objects: Objects = None) -> Any:
        """The model of what `get_config` of a Model(inputs, outputs) returned."""
        return cls.functional.from_config(config, custom_objects)
