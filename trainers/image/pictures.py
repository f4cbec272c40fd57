"""Pictures as a trainer reads them: opened when their turn comes, varied, made into tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Dataset
from transformers import AutoImageProcessor

from ..data.images import given_picture
from ..data.records import Record
from ..engine.adapters import adapter_config, add_adapter
from ..engine.column_task import ColumnTask, DefaultTrainer, S
from ..engine.column_trainer import WEIGHTS
from ..errors import Problem, SpecError
from ..predicting.models import ModelPredictor
from ..spec import ModelSection
from .augmenting import Augmentation


def load_image_processor(section: ModelSection) -> Any:
    """What turns pictures into tensors, by Pillow and numpy alone.

    Raises:
        SpecError: the model has none, or only one that needs torchvision.
    """
    own = section.tokenizer is None
    source = section.tokenizer or section.name_or_path
    try:
        return AutoImageProcessor.from_pretrained(
            source,
            revision=section.revision if own else None,
            trust_remote_code=section.trust_remote_code,
            backend="pil",
        )
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        text = f"{source} has no image processor that works with Pillow ({reason})"
        raise SpecError([Problem(text, "model.name_or_path" if own else "model.tokenizer")]) from (
            error
        )


class Pictures(Dataset[dict[str, Any]]):
    """The pictures of a split with what is to be learnt of each.

    An item has ``image`` and ``labels``. What happens to a picture depends on the seed, the epoch
    and its row alone, so that a resumed run goes on as if it had never been interrupted.

    Args:
        records: the rows.
        labels: what is to be learnt of each, in their order.
        augmentation: what may happen to a picture; None: nothing.
        seed: of what happens.
        weighted: whether items carry their rows' weights.
    """

    def __init__(
        self,
        records: Sequence[Record],
        labels: Sequence[Any],
        augmentation: Augmentation | None = None,
        seed: int = 0,
        *,
        weighted: bool = False,
    ) -> None:
        self.records = records
        self._labels = labels
        self._augmentation = augmentation
        self._seed = seed
        self._weighted = weighted
        # Shared with loader processes that live for several epochs.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Choose what happens to the pictures."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> dict[str, Any]:
        record = self.records[row]
        item = self.item(record.values["image"].open(), self._labels[row], self._chance(row))
        return {**item, WEIGHTS: record.weight} if self._weighted else item

    def item(self, image: Any, label: Any, chance: Random | None) -> dict[str, Any]:
        """A picture and what is to be learnt of it, varied when there is a chance of it."""
        if self._augmentation is not None and chance is not None:
            image, _ = self._augmentation(image, chance)
        return {"image": image, "labels": label}

    def _chance(self, row: int) -> Random | None:
        if self._augmentation is None:
            return None
        return Random(f"{self._seed} {int(self._epoch)} {row}")


class PictureTrainer(DefaultTrainer):
    """Tells the pictures which epoch it is."""

    def _run_epoch(self, *args: Any, epoch: int, **kwargs: Any) -> None:
        self.train_dataset.set_epoch(epoch)
        super()._run_epoch(*args, epoch=epoch, **kwargs)

    def row_lengths(self, dataset: Any) -> list[int]:
        sizes = [record.values["image"].size for record in dataset.records]
        return [width * height for width, height in sizes]


class PictureTask(ColumnTask[S]):
    """What tasks on pictures share; ``label_type`` and ``encode`` are left to write.

    The spec's training section is an ImageTrainingSection.
    """

    trainer: ClassVar[type[Any]] = PictureTrainer
    dataset: ClassVar[type[Pictures]] = Pictures
    # By the names that the models of transformers have for what comes last.
    heads: ClassVar[tuple[str, ...]] = (
        "classifier",
        "cls_classifier",
        "distillation_classifier",
    )

    @property
    def label_type(self) -> torch.dtype:
        """The type of a batch's labels."""
        raise NotImplementedError

    def load_processor(self) -> Any:
        for key in ("load_in_4bit", "load_in_8bit"):
            if getattr(self.spec.model, key):
                text = "the head of a model of pictures cannot be quantised; leave it out"
                raise SpecError([Problem(text, f"model.{key}")])
        return load_image_processor(self.spec.model)

    def adapted(self, model: Any) -> Any:
        if self.spec.peft.method == "none":
            return model
        heads, inside = head_modules(model, self.heads)
        if not heads and not self.spec.peft.modules_to_save:
            text = "must name the head of this model, which begins at random"
            raise SpecError([Problem(text, "peft.modules_to_save")])
        config: Any = adapter_config(self.spec, tuple(heads))
        config.exclude_modules = [*config.exclude_modules, *inside]
        # Their statistics move in training, and an adapter would leave them behind.
        moving = [path for path, module in model.named_modules() if isinstance(module, _BatchNorm)]
        config.modules_to_save = [*config.modules_to_save, *moving]
        checkpointing = self.spec.training.gradient_checkpointing
        return add_adapter(model, config, checkpointing=checkpointing)

    def pictures(
        self, records: Sequence[Record], labels: Sequence[Any], *, training: bool
    ) -> Pictures:
        """A split's pictures, varied as the spec says where they are trained on."""
        settings: Any = self.spec.training
        weighted = training and self.spec.data.row_weights is not None
        augmentation = Augmentation.of(settings) if training else None
        return self.dataset(records, labels, augmentation, settings.seed, weighted=weighted)

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return picture_collator(self.processor, self.label_type)


def head_modules(model: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths of a model's heads, and of the modules inside them.

    Args:
        model: any.
        names: what the attributes that hold heads, or lists of heads, are called.
    """
    heads: list[str] = []
    inside: list[str] = []
    for path, module in model.named_modules():
        if any(path.startswith(f"{head}.") for head in heads):
            inside.append(path)
        elif not isinstance(module, torch.nn.ModuleList):
            last = path.rpartition(".")[0] if path.rpartition(".")[2].isdigit() else path
            if last.rpartition(".")[2] in names:
                heads.append(path)
    return heads, inside


class PicturePredictor(ModelPredictor):
    """Scores of pictures. Subclasses write ``answers``."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        batch = pixels(self.processor, [given_picture(row["image"]) for row in rows])
        return self.answers(self.model(**self.to_device(batch)).logits.float().cpu())

    def answers(self, scores: torch.Tensor) -> list[dict[str, Any]]:
        """The predictions that scores (rows, classes or targets) amount to."""
        raise NotImplementedError


def picture_collator(
    processor: Any, label_type: torch.dtype
) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Batches of pictures that are all brought to one size."""

    def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            **pixels(processor, [item["image"] for item in items]),
            "labels": torch.tensor([item["labels"] for item in items], dtype=label_type),
        }

    return collate


def pixels(processor: Any, images: Sequence[Any]) -> dict[str, Any]:
    """A batch of the tensors that a processor makes of pictures."""
    return dict(processor(images=list(images), return_tensors="pt"))
