"""What a training was asked for: all that files and card of it need of params.yaml."""

from dataclasses import dataclass
from pathlib import Path

from embedder import layout
from embedder.params.finetune import Finetune
from embedder.params.models import Student


@dataclass(frozen=True)
class Asked:
    """What a training was asked for.

    Attributes:
        name: the student's in params.yaml.
        student: its entry.
        settings: the section `finetune`.
        base: what the stage base wrote.
        shards: what was trained on.
    """

    name: str
    student: Student
    settings: Finetune
    base: Path = layout.BASE
    shards: Path = layout.SHARDS

    @property
    def beside(self) -> bool:
        """Whether the saved model is an adapter on its base."""
        return self.student.recipe.lora is not None and not self.settings.merged
