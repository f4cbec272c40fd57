"""What the registry entries of the image tasks share. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.image_folders import IMAGE_COLUMNS
from ..registry import Column, Inputs, Loading

SAMPLES = Path(__file__).parent.parent / "samples"
PICTURE = Column("image", "file name of a picture", "photos/001.jpg", names=IMAGE_COLUMNS)
INPUTS = Inputs(("image",), kind="image")
CLASSIFIER: dict[str, Any] = {
    "default_model": "google/vit-base-patch16-224-in21k",
    "loading": Loading(
        "AutoModelForImageClassification",
        processor="AutoImageProcessor",
        peft_type=None,
        pipeline_tag="image-classification",
    ),
    "tiny": "luthier.trainers.tiny.image:classifier",
    "sample_settings": {
        "training.learning_rate": 0.003,
        "training.num_train_epochs": 8,
        "training.per_device_train_batch_size": 16,
    },
}
"""The model and its settings of tasks that look at a picture as a whole."""

OPEN_PICTURE = """
from PIL import Image, ImageOps

image = ImageOps.exif_transpose(Image.open($image)).convert("RGB")
inputs = processor(images=image, return_tensors="pt")
"""
"""How a card's code begins."""
