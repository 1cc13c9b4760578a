"""The section `runtime`: how a run is carried out. Tracked by no stage, so the only one with defaults."""

from typing import Annotated, Literal

from pydantic import Field

from embedder.params.base import Model


class Runtime(Model):
    """Where and how a run is carried out; nothing here changes a result but the type of device.

    Attributes:
        device: auto, or a torch device: cpu, cuda.
        threads: of torch and FAISS; null for what they choose.
        processes: that train; null for one a GPU, and one on a CPU.
        checkpoint_steps: between two checkpoints of a training run, from which it goes on after a kill.
        graphs: GiB that a training step may keep of activations, which saves their second computation; null for half
            of what is free.
        live: where a training run can be watched, if it is installed; the files lie in data/cache/finetune.
        log_interval: seconds between two lines of progress where stderr is no terminal.
    """

    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    processes: Annotated[int, Field(ge=1)] | None = None
    checkpoint_steps: Annotated[int, Field(ge=1)] = 50
    graphs: Annotated[float, Field(ge=0)] | None = None
    live: Literal["dvclive", "tensorboard"] | None = None
    log_interval: Annotated[float, Field(gt=0)] = 10.0
