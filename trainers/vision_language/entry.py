"""What the registry entries of the vision-language tasks share. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.image_folders import IMAGE_COLUMNS
from ..registry import Column, Loading

SAMPLES = Path(__file__).parent.parent / "samples"
DEFAULT_MODEL = "HuggingFaceTB/SmolVLM-256M-Instruct"
TINY = "luthier.trainers.tiny.vision_language:llava"
LOADING = Loading("AutoModelForImageTextToText", "AutoProcessor", pipeline_tag="image-text-to-text")
PICTURE = Column(
    "image",
    "a picture's file, or a list of them",
    "pictures/boat.jpg",
    names=("image", "images", *IMAGE_COLUMNS[1:]),
)
SAMPLE_SETTINGS: dict[str, Any] = {
    "training.learning_rate": 0.003,
    "training.num_train_epochs": 20,
    "training.per_device_train_batch_size": 8,
    "training.gradient_accumulation_steps": 1,
    "evaluation.strategy": "steps",
    "evaluation.max_new_tokens": 12,
    "peft.method": "none",
    "peft.parts": ["language", "projector", "vision"],
}

_USAGE = """
pictures = $image
pictures = [pictures] if isinstance(pictures, str) else pictures
words = [{"type": "image", "path": path} for path in pictures]
words.append({"type": "text", "text": $ROLE})
inputs = processor.apply_chat_template(
    [{"role": "user", "content": words}],
    add_generation_prompt=True,
    tokenize=True,
    return_dict=True,
    return_tensors="pt",
)
inputs.pop("labels", None)
written = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(processor.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


def usage(role: str) -> str:
    """The card's code; the value of ``role`` is what the model is told with the picture."""
    return _USAGE.replace("$ROLE", f"${role}")
