"""Sample sheets: characters that are never trained on, with and without their reference."""

from pathlib import Path

import numpy as np
import torch

from . import run, sheet
from .data import Puppets, control_images
from .subject_attention import Group, Source


@torch.no_grad()
def show(networks, latents, data: Puppets, settings: dict, folder: Path, step: int) -> None:
    """Rows: reference, truth, control, with the reference, without it, full caption only; errors go to samples.csv."""
    references = np.array([group[0] for group in data.checking])
    pictures = np.array([group[1 + index % (len(group) - 1)] for index, group in enumerate(data.checking)])
    scenes = [data.rows[row]["scene_caption"] for row in pictures]
    full = [data.rows[row]["caption"] for row in pictures]
    results = {
        "reference": draw(networks, latents, data, pictures, references, scenes, settings),
        "scene": draw(networks, latents, data, pictures, None, scenes, settings),
        "text": draw(networks, latents, data, pictures, None, full, settings),
    }
    line = {name: f"{figure_error(data, pictures, shown):.2f}" for name, shown in results.items()}
    line["autoencoder"] = f"{figure_error(data, pictures, sheet.to_bytes(latents.decode(latents[pictures]))):.2f}"
    run.append_csv(folder / "samples.csv", {"step": step, **line})
    print("samples", step, line, flush=True)
    given = [data.images[references], data.images[pictures], data.control[pictures]]
    sheet.save(folder / f"samples-{step:06d}.png", given + list(results.values()))


def figure_error(data: Puppets, rows: np.ndarray, shown: np.ndarray) -> float:
    """Mean difference from the truth on the figure, 0 to 255."""
    mask = data.masks[rows][..., None] / 255
    return float((np.abs(shown.astype(float) - data.images[rows]) * mask).sum() / (3 * mask.sum()))


def reference_group(masks: torch.Tensor, weight: float) -> Group:
    """The group of pictures that see their own reference, whose figure is `masks` (n, 1, height, width), in a batch of
    references, pictures alone, pictures with them."""
    count, where = len(masks), masks.device
    weights = torch.full((count,), float(weight), device=where)
    return Group(2 * count, 3 * count, [Source(torch.arange(count, device=where), weights, masks)])


@torch.no_grad()
def draw(networks, latents, data: Puppets, rows, references, captions: list[str], settings: dict) -> np.ndarray:
    """Samples for the poses of `rows`, (n, height, width, 3) bytes, guided away from the same without `references`,
    or without a caption where there are none."""
    where, count = networks.where, len(rows)
    x = torch.randn((count, *latents.values.shape[1:]), generator=torch.Generator().manual_seed(5)).to(where)
    if references is None:
        known, noise = None, None
        shown, texts, groups = np.concatenate([rows, rows]), [""] * count + captions, []
    else:
        known = latents[references]
        noise = torch.randn(known.shape, generator=torch.Generator().manual_seed(6)).to(where)
        shown = np.concatenate([references, rows, rows])
        texts = [data.rows[row]["scene_caption"] for row in references] + captions + captions
        masks = torch.from_numpy(data.masks[references]).to(where)[:, None].float() / 255
        groups = [reference_group(masks, settings["weight"])]
    context, control = networks.context(texts), control_images(data, shown, where)
    return sheet.to_bytes(latents.decode(sample(networks, x, known, noise, context, control, groups, settings)))


@torch.no_grad()
def sample(networks, x, known, noise, context, control, groups: list[Group], settings: dict) -> torch.Tensor:
    """DDIM from the pure noise `x` to latents. A batch has the references `known`, if any, with `noise` on them, then
    the pictures to be guided away from, then those to be guided toward; `context` and `control` have as many rows."""
    scheduler, where = networks.scheduler, networks.where
    scheduler.set_timesteps(settings["steps"])
    for time in scheduler.timesteps.tolist():
        noisy, times = [x, x], [time] * (2 * len(x))
        if known is not None:
            earlier = max(0, time - settings["earlier"])
            noisy = [scheduler.add_noise(known, noise, torch.tensor([earlier])), *noisy]
            times = [earlier] * len(known) + times
        everywhere = torch.ones(len(times), device=where)
        times = torch.tensor(times, device=where)
        v = networks.predict(torch.cat(noisy), times, context, control, everywhere, groups)
        away, toward = v[-2 * len(x) :].chunk(2)
        x = scheduler.step(away + settings["guidance"] * (toward - away), time, x, eta=0.0).prev_sample
    return x
