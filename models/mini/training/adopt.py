"""Takes over an exported model, so that its stages need not be trained again."""

import shutil
from pathlib import Path

from transformers import CLIPConfig, CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from . import checkpoint


def adopt(model: Path, work: Path) -> None:
    """Puts the autoencoder, CLIP and tokenizer of `model` where later stages look for them, unless they are there."""
    if not (work / "vae/model").exists():
        shutil.copytree(model / "vae", work / "vae/model")
    if not (work / "clip/tokenizer").exists():
        shutil.copytree(model / "tokenizer", work / "clip/tokenizer")
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
