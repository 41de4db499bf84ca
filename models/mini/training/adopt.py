"""Takes over an exported model, so that its stages need not be trained again."""

import shutil
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from . import checkpoint


def adopt(model: Path, work: Path) -> None:
    """Puts the autoencoder, CLIP and tokenizer of `model` where later stages look for them, unless they are there."""
    if not (work / "vae/model").exists():
        shutil.copytree(model / "vae", work / "vae/model")
    if not (work / "clip/tokenizer").exists():
        shutil.copytree(model / "tokenizer", work / "clip/tokenizer")
    if (model / "training.json").exists() and not (work / "before.json").exists():
        shutil.copy(model / "training.json", work / "before.json")
    if not (work / "clip/model").exists():
        checkpoint.save_network(clip(model), work / "clip/model")


def clip(model: Path) -> CLIPModel:
    """Both towers as one network, as `export` took them apart."""
    text = CLIPTextModelWithProjection.from_pretrained(model / "text_encoder")
    image = CLIPVisionModelWithProjection.from_pretrained(model / "image_encoder")
    width = text.config.projection_dim
    both = CLIPModel(
        CLIPConfig(text_config=text.config.to_dict(), vision_config=image.config.to_dict(), projection_dim=width)
    )
    both.load_state_dict(text.state_dict() | image.state_dict(), strict=False)
    return both


def take_over(network: torch.nn.Module, weights: dict[str, torch.Tensor], halves: dict[str, tuple] | None = None):
    """Loads `weights`. A tensor that is larger now has them as its first rows and columns; its new columns are 0, so
    that what came out before still does. `halves` names tensors that consist of two such parts along the given
    dimensions."""
    own = network.state_dict()
    for name, value in weights.items():
        # What the new network has no more, such as attention at a level, is left out.
        if name in own:
            grow(own[name], value, (halves or {}).get(name, ()))


def grow(new: torch.Tensor, old: torch.Tensor, halves: tuple) -> None:
    """Puts `old` into the corner of `new`, or of each of its halves."""
    if halves:
        for part, value in zip(new.chunk(2, halves[0]), old.chunk(2, halves[0])):
            grow(part, value, halves[1:])
        return
    new[: len(old)] = 0
    new[tuple(slice(0, size) for size in old.shape)] = old
