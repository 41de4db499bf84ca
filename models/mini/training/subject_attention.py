"""Self-subject-attention (DreamTuner, arXiv 2312.13691, Eq. 3) for training: references and pictures in one batch.

Every row of a batch passes the U-Net once. The rows of a group attend to their own tokens and to those of their
sources, which are other rows of the same batch; rows in no group attend to themselves only, as references do. Gradients
flow through the sources.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel


@dataclass
class Source:
    """What each row of a group attends to besides itself."""

    rows: torch.Tensor  # (n,) the row of the batch that each row of the group looks at
    weights: torch.Tensor  # (n,) omega
    masks: torch.Tensor  # (n, 1, height, width) of the whole picture, 1 where the row may look

    def bias(self, tokens: int) -> torch.Tensor:
        """log(omega * mask) for each token of a square grid, (n, 1, 1, tokens); -inf leaves a token out."""
        side = round(tokens**0.5)
        pooled = F.adaptive_avg_pool2d(self.masks, (side, side)).flatten(1)
        return torch.log(self.weights[:, None] * pooled)[:, None, None]


@dataclass
class Group:
    """Rows `first` to `last` - 1 of the batch and their sources."""

    first: int
    last: int
    sources: list[Source]
    biases: dict[int, torch.Tensor] = field(default_factory=dict)  # kept for each number of tokens

    def bias(self, tokens: int) -> torch.Tensor:
        """What is added to the scores, (n, 1, 1, tokens * (1 + sources))."""
        if tokens not in self.biases:
            own = torch.zeros(self.last - self.first, 1, 1, tokens, device=self.sources[0].weights.device)
            self.biases[tokens] = torch.cat([own] + [source.bias(tokens) for source in self.sources], dim=-1)
        return self.biases[tokens]


class SubjectAttention:
    """Attention processor for every self-attention of a U-Net; `groups` is set before each pass."""

    def __init__(self):
        self.groups: list[Group] = []

    def __call__(self, attention, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        def heads(projected: torch.Tensor) -> torch.Tensor:
            return projected.unflatten(-1, (attention.heads, -1)).transpose(1, 2)

        query = heads(attention.to_q(hidden_states))
        key, value = heads(attention.to_k(hidden_states)), heads(attention.to_v(hidden_states))
        plain = self.groups[0].first if self.groups else len(hidden_states)
        parts = [F.scaled_dot_product_attention(query[:plain], key[:plain], value[:plain])] if plain else []
        parts += [attend(group, query, key, value) for group in self.groups]
        attended = torch.cat(parts).transpose(1, 2).flatten(2)
        return attention.to_out[1](attention.to_out[0](attended))


def attend(group: Group, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """softmax(q [k, k^r]^T / sqrt(d) + log m) [v, v^r] for the rows of a group."""
    rows = slice(group.first, group.last)
    keys = torch.cat([key[rows]] + [key[source.rows] for source in group.sources], dim=2)
    values = torch.cat([value[rows]] + [value[source.rows] for source in group.sources], dim=2)
    bias = group.bias(query.shape[2]).to(query.dtype)
    return F.scaled_dot_product_attention(query[rows], keys, values, attn_mask=bias)


def install(unet: UNet2DConditionModel) -> SubjectAttention:
    """Gives all self-attentions of `unet` one common processor."""
    processor = SubjectAttention()
    for name, module in unet.named_modules():
        if name.endswith(".attn1"):
            module.set_processor(processor)
    return processor
