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


def reference_rows(latents, data: Puppets, references: np.ndarray, settings: dict) -> tuple:
    """Latents of the references and the group that lets each picture see its own."""
    count, where = len(references), latents.where
    masks = torch.from_numpy(data.masks[references]).to(where)[:, None].float() / 255
    weights = torch.full((count,), float(settings["weight"]), device=where)
    group = Group(count, 2 * count, [Source(torch.arange(count, device=where), weights, masks)])
    return latents[references], [group]


def draw(networks, latents, data: Puppets, rows, references, captions: list[str], settings: dict) -> np.ndarray:
    """DDIM samples for the poses of `rows`, (n, height, width, 3) bytes. With `references`, no guidance is used."""
    scheduler, where, count = networks.scheduler, networks.where, len(rows)
    scheduler.set_timesteps(settings["steps"])
    x = torch.randn((count, *latents.values.shape[1:]), generator=torch.Generator().manual_seed(5)).to(where)
    # Before the pictures in a batch: their references, or the same pictures without text, for guidance.
    if references is None:
        before, groups, texts = None, [], [""] * count
        control = control_images(data, np.concatenate([rows, rows]), where)
    else:
        before, groups = reference_rows(latents, data, references, settings)
        texts = [data.rows[row]["scene_caption"] for row in references]
        control = control_images(data, np.concatenate([references, rows]), where)
    context = networks.context(texts + captions)
    for time in scheduler.timesteps.tolist():
        earlier = max(0, time - settings["earlier"])
        first = x if before is None else scheduler.add_noise(before, noise_like(before), torch.tensor([earlier]))
        times = torch.tensor([time if before is None else earlier] * count + [time] * count, device=where)
        everywhere = torch.ones(2 * count, device=where)
        first, v = networks.predict(torch.cat([first, x]), times, context, control, everywhere, groups).chunk(2)
        if before is None:
            v = first + settings["guidance"] * (v - first)
        x = scheduler.step(v, time, x, eta=0.0).prev_sample
    return sheet.to_bytes(latents.decode(x))


def noise_like(values: torch.Tensor) -> torch.Tensor:
    """The noise of the references, the same at every time step."""
    return torch.randn(values.shape, generator=torch.Generator().manual_seed(6)).to(values.device)
