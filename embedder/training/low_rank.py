"""The forward and backward pass of a LoRA adapter, with few passes over memory: the same sums as PEFT's.

PEFT adds an adapter's output in three passes over memory, casts a copy of its input that autograd keeps, and takes the
gradient of B as a product that a CPU's library is slow at: for 256 to 1,024 dimensions the two small matrices cost as
much as the large one. Here the adapter is added in place, and products have the inner dimension first.

Imports torch and PEFT, so only what trains imports this module.
"""

from typing import Any

from peft.tuners.lora.layer import Linear, LoraVariant
from torch import Tensor, nn
from torch.autograd import Function


def fuse(adapted: nn.Module) -> None:
    """Have the LoRA adapters on a model's linear layers computed this way, in place; weights and files are as before."""
    for layer in adapted.modules():
        if type(layer) is Linear:
            for name in layer.lora_A:
                layer.lora_variant.setdefault(name, Fused())


def plain(adapted: nn.Module) -> None:
    """Have them computed as whoever loads the files will: by PEFT, and in the dtype of the layers that they are on."""
    for layer in adapted.modules():
        if type(layer) is Linear:
            layer.lora_variant.clear()
            weight: Any = layer.get_base_layer().weight
            for part in (layer.lora_A, layer.lora_B):
                part.to(weight.dtype)


class Fused(LoraVariant):
    """What PEFT asks of a kind of LoRA; but for the passes it is the plain kind."""

    @staticmethod
    def forward(
        module: Any,  # noqa: ANN401 - see above
        active_adapter: str,
        x: Tensor,
        result: Tensor,
        **_: object,
    ) -> Tensor:
        """Add the adapter's output to `result`, in place."""
        a, b = module.lora_A[active_adapter], module.lora_B[active_adapter]
        dropped = module.lora_dropout[active_adapter](x)
        added: Tensor = _Added.apply(result, dropped, a.weight, b.weight, module.scaling[active_adapter])  # type: ignore[no-untyped-call]
        return added

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # noqa: ANN401
        """Return the weight with the adapter in it."""
        delta: Tensor = module.get_delta_weight(active_adapter).to(orig_weight.dtype)
        return orig_weight + delta

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: Tensor) -> None:  # noqa: ANN401
        """Put the adapter into the weight."""
        orig_weight.data += module.get_delta_weight(active_adapter)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # noqa: ANN401
        """Return the weight without the adapter in it."""
        delta: Tensor = module.get_delta_weight(active_adapter).to(orig_weight.dtype)
        return orig_weight - delta


class _Added(Function):
    """result + scaling x A^T B^T, of a result that nothing else reads; in the result's dtype, whatever that of A and B."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:  # noqa: ANN401 - autograd's
        dtype = result.dtype
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        inner = a.to(dtype) @ rows.T
        result.view(-1, result.shape[-1]).addmm_(inner.T, b.to(dtype).T, alpha=scaling)
        ctx.mark_dirty(result)
        ctx.save_for_backward(rows, inner, a, b)
        ctx.scaling, ctx.shape, ctx.dtype = scaling, x.shape, x.dtype
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        rows, inner, a, b = ctx.saved_tensors
        gradient = gradients[0]
        flat = gradient.reshape(-1, gradient.shape[-1])
        back = (b.to(flat.dtype).T @ flat.T).mul_(ctx.scaling)
        of_x = (back.T @ a.to(flat.dtype)).view(ctx.shape).to(ctx.dtype) if ctx.needs_input_grad[1] else None
        of_a = (back @ rows).to(a.dtype)
        of_b = (inner @ flat).mul_(ctx.scaling).T.to(b.dtype)
        return gradient, of_x, of_a, of_b, None
