"""Stage 2: a small CLIP. Its text tower is the text encoder, its image tower the eye of metrics and subject encoder."""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel

from . import checkpoint, run, tokenizer, workers
from .data import Puppets
from .vae import to_tensor


def build(settings: dict, words) -> CLIPModel:
    """Both towers, for the vocabulary of `words`."""
    special = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    text = {**settings["text"], **special, "vocab_size": len(words), "projection_dim": settings["projection"]}
    image = {**settings["image"], "projection_dim": settings["projection"]}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=image, projection_dim=settings["projection"]))


def is_scene(part: str) -> bool:
    """Whether a part of a caption names the scene."""
    return part.endswith("background")


def varied(caption: str) -> str:
    """Half of the captions lose some of their parts and their order, so that short prompts work too."""
    parts = caption.split(", ")
    if random.random() < 0.5:
        kept = random.randint(1, len(parts))
        parts = random.sample(parts, kept)
    return ", ".join(parts)


def examples(data: Puppets, rows, cut_out: float) -> tuple[np.ndarray, list[str]]:
    """Pictures and captions; a share of `cut_out` of the figures is put on white, as references are."""
    images, captions = data.images[rows].copy(), [data.rows[row]["caption"] for row in rows]
    for index, row in enumerate(rows):
        if random.random() < cut_out:
            mask = data.masks[row][..., None] / 255
            images[index] = (images[index] * mask + 255 * (1 - mask)).round()
            parts = [part for part in captions[index].split(", ") if not is_scene(part)]
            captions[index] = ", ".join([*parts, "white background"])
    return images, captions


def embeddings(model: CLIPModel, words, images: np.ndarray, captions: list[str], where) -> tuple:
    """Normalised image and text embeddings, (n, projection) each."""
    side = model.config.vision_config.image_size
    pictures = F.interpolate(to_tensor(images, where), (side, side), mode="area").contiguous()
    with run.half(where):
        output = model(input_ids=tokenizer.encode(words, captions).to(where), pixel_values=pictures)
    return output.image_embeds.float(), output.text_embeds.float()


def loss_of(model: CLIPModel, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
    """Contrastive loss in both directions, and how often the right caption comes first."""
    scores = image @ text.T * model.logit_scale.exp()
    right = torch.arange(len(scores), device=scores.device)
    loss = (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2
    return {"loss": loss, "right": (scores.argmax(1) == right).float().mean()}


def rows_of(data: Puppets, count: int) -> np.ndarray:
    """One picture each of `count` identities."""
    groups = random.sample(range(len(data.training)), min(count, len(data.training)))
    return np.array([np.random.choice(data.training[group]) for group in groups])


@torch.no_grad()
def check(model: CLIPModel, words, data: Puppets, folder: Path, step: int) -> None:
    """The same figures on pictures that are never trained on."""
    images, captions = examples(data, data.checking_rows, 0.0)
    image, text = embeddings(model, words, images, captions, next(model.parameters()).device)
    line = {name: f"{float(value):.3f}" for name, value in loss_of(model, image, text).items()}
    run.append_csv(folder / "checks.csv", {"step": step, **line})
    print("check", step, line, flush=True)


def train(settings: dict, data: Puppets, folder: Path, limits: run.Limits, start: Path | None) -> None:
    """Trains, taking up `folder`'s checkpoint; leaves the tokenizer and the averaged towers in `folder`."""
    where = run.device()
    with workers.first_alone():
        words = tokenizer.build([row["caption"] for row in data.rows], settings["tokens"], folder / "tokenizer")
    model = (CLIPModel.from_pretrained(folder / "model") if start else build(settings, words)).to(where)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=settings["weight_decay"])
    average = run.Average([model], settings["average"])
    saved = run.Saved(folder, {"model": model}, optimizer, average)
    step = saved.restore()
    schedule, losses = run.Schedule(settings, folder, limits), run.Losses(folder / "losses.csv")
    saver = run.Every(settings["save_minutes"])
    while not schedule.finished(step):
        run.set_rate(optimizer, schedule.rate(step))
        images, captions = examples(data, rows_of(data, settings["batch"]), settings["cut_out"])
        image, text = embeddings(model, words, images, [varied(caption) for caption in captions], where)
        parts = loss_of(model, image, text)
        run.descend(optimizer, parts["loss"], model.parameters())
        model.logit_scale.data.clamp_(max=np.log(100.0))
        average.update(step)
        losses.add(step, len(images), **parts)
        step += 1
        if saver.due():
            store(saved, model, words, data, step)
    if workers.place() == 0:
        store(saved, model, words, data, step)


def store(saved: run.Saved, model: CLIPModel, words, data: Puppets, step: int) -> None:
    """Writes the checkpoint and the averaged towers."""
    saved.store(step)
    with saved.average.applied():
        model.eval()
        checkpoint.save_network(model, saved.folder / "model")
        check(model, words, data, saved.folder, step)
        model.train()
