"""models.model_from_yaml, where Keras has it."""
from __future__ import annotations

from tinynet import models
from tinynet.saving import file_format
from tinynet.types import Any, Objects


def model_from_yaml(yaml_string: str, custom_objects: Objects = None) -> Any:
    """A model of what `to_yaml` returned, here or in Keras, for which PyYAML is needed."""
    try:
        return models.model_from_json(yaml_string, custom_objects)
    except file_format.ModelFileError:
        pass
    try:
        import yaml
    except ImportError:
        raise ImportError("model_from_yaml needs PyYAML for this text: python -m pip install pyyaml") from None
    return models.model_from_config(yaml.safe_load(yaml_string), custom_objects)


vars(models)["model_from_yaml"] = model_from_yaml
