"""The section `runtime`: how a run is carried out. Tracked by no stage, so the only one with defaults."""

from typing import Annotated

from pydantic import Field

from embedder.params.base import Model


class Runtime(Model):
    """Where and how a run is carried out; nothing here changes a result but the type of device.

    Attributes:
        device: auto, or a torch device: cpu, cuda.
        threads: of torch and FAISS; null for what they choose.
        log_interval: seconds between two lines of progress where stderr is no terminal.
    """

    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    log_interval: Annotated[float, Field(gt=0)] = 10.0
