"""Stage 3: what the text encoder says about each word is told apart.

CLIP's text encoder learns what helps to choose among pictures of different characters. Of words that do not, such as expressions,
it says nearly the same (cosines of 0.998), and a picture cannot follow them. Here each token's state moves a little way into a
direction that is the token's own, while the vector of the whole text, by which CLIP compares, is held where it was.
"""

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPModel

from . import checkpoint, run, tokenizer, workers
from .clip import varied
from .data import Puppets


def directions(clip: CLIPModel) -> torch.Tensor:
    """A direction for each token, (vocabulary, width), of length 1: its embedding without what all have in common."""
    embeddings = clip.text_model.embeddings.token_embedding.weight.detach()
    return F.normalize(embeddings - embeddings.mean(0), dim=1)


@torch.no_grad()
def wanted(clip: CLIPModel, ids: torch.Tensor, apart: float, special: set[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """States (n, tokens, width) with `apart` of their length in each word's direction, and the texts' vectors as they are."""
    output = clip.text_model(ids)
    states = output.last_hidden_state
    words = torch.ones_like(ids, dtype=torch.bool)
    for token in special:
        words &= ids != token
    moved = apart * states.norm(dim=-1, keepdim=True) * directions(clip)[ids] * words[..., None]
    return states + moved, clip.text_projection(output.pooler_output)


def rarities(words, captions: list[str], most: float) -> torch.Tensor:
    """How much each token's error counts, (vocabulary): the rarer the more, but no more than `most`."""
    ids = tokenizer.encode(words, random.sample(captions, min(4096, len(captions))))
    counts = torch.bincount(ids.flatten(), minlength=len(words)).float()
    return (counts.max() / counts.clamp(min=1)).sqrt().clamp(max=most)


def loss_of(clip: CLIPModel, first: CLIPModel, ids: torch.Tensor, rarity: torch.Tensor, settings: dict, special: set[int]) -> dict:
    """Squared error of the states, and how far the texts' vectors have gone: one less the cosine."""
    states, vectors = wanted(first, ids, settings["apart"], special)
    output = clip.text_model(ids)
    weights = rarity[ids]
    error = ((output.last_hidden_state - states).square().mean(-1) * weights).sum() / weights.sum()
    drift = 1 - F.cosine_similarity(clip.text_projection(output.pooler_output), vectors).mean()
    return {"loss": error + settings["hold"] * drift, "error": error, "drift": drift}


def train(settings: dict, data: Puppets, folder: Path, limits: run.Limits, start: Path | None) -> None:
    """Trains the text encoder of the CLIP in `../clip/model`, which is written anew; `folder` says that it is done."""
    done = folder / "done.json"
    if done.exists():
        return
    where = run.device()
    place = folder.parent / "clip/model"
    words = tokenizer.build([], 0, folder.parent / "clip/tokenizer")
    special = {words.bos_token_id, words.eos_token_id, words.pad_token_id}
    first = CLIPModel.from_pretrained(place).to(where).eval()
    clip = CLIPModel.from_pretrained(place).to(where).eval()
    for part in (first, clip, clip.text_model.embeddings):
        part.requires_grad_(False)
    learning = [clip.text_model.encoder, clip.text_model.final_layer_norm]
    for part in learning:
        part.requires_grad_(True)
    parameters = [parameter for part in learning for parameter in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=0.0)
    schedule, losses = run.Schedule(settings, folder, limits), run.Losses(folder / "losses.csv")
    captions = [row["caption"] for row in data.rows] + [row["scene_caption"] for row in data.rows]
    rarity = rarities(words, captions, settings["rarest"]).to(where)
    if workers.place() > 0:
        # Every process draws texts of its own.
        checkpoint.seed(workers.place())
    step = 0
    while not schedule.finished(step):
        run.set_rate(optimizer, schedule.rate(step))
        texts = [varied(caption) for caption in random.sample(captions, settings["batch"])]
        parts = loss_of(clip, first, tokenizer.encode(words, texts).to(where), rarity, settings, special)
        run.descend(optimizer, parts["loss"], parameters)
        losses.add(step, len(texts), **parts)
        step += 1
    if workers.place() == 0:
        checkpoint.save_network(clip, place)
        checkpoint.write_json(done, {"steps": step})
