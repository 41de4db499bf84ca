"""Sample sheets: characters that are never trained on, with and without their reference."""

from pathlib import Path

import numpy as np
import torch

from . import run, sheet
from .data import Puppets, control_images
from .subject_attention import Group, Source


@torch.no_grad()
def show(networks, latents, drafts, data: Puppets, settings: dict, folder: Path, step: int) -> None:
    """Rows: reference, truth, control, how sure the draft is, the draft, repaired, the draft's own pixels kept where it is sure, with the reference
    but no draft, without it, full caption only; errors go to samples.csv."""
    references = np.array([group[0] for group in data.checking])
    pictures = np.array([group[1 + index % (len(group) - 1)] for index, group in enumerate(data.checking)])
    scenes = [data.rows[row]["scene_caption"] for row in pictures]
    full = [data.rows[row]["caption"] for row in pictures]
    repaired = draw(networks, latents, data, pictures, references, scenes, settings, drafts)
    sure = data.confidence[pictures][..., None] / 255
    results = {
        "draft": data.drafts[pictures],
        "repaired": repaired,
        "kept": (sure * data.drafts[pictures] + (1 - sure) * repaired).round().astype(np.uint8),
        "reference": draw(networks, latents, data, pictures, references, scenes, settings),
        "scene": draw(networks, latents, data, pictures, None, scenes, settings),
        "text": draw(networks, latents, data, pictures, None, full, settings),
        "autoencoder": sheet.to_bytes(latents.decode(latents[pictures])),
    }
    line = {name: f"{figure_error(data, pictures, shown):.2f}" for name, shown in results.items()}
    unsure = ("draft", "repaired", "autoencoder")
    line |= {f"unsure_{name}": f"{unsure_error(data, pictures, results[name]):.2f}" for name in unsure}
    run.append_csv(folder / "samples.csv", {"step": step, **line})
    print("samples", step, line, flush=True)
    confidence = np.repeat(data.confidence[pictures][..., None], 3, axis=-1)
    given = [data.images[references], data.images[pictures], data.control[pictures], confidence]
    sheet.save(folder / f"samples-{step:06d}.png", given + list(results.values())[:-1])


def figure_error(data: Puppets, rows: np.ndarray, shown: np.ndarray) -> float:
    """Mean difference from the truth on the figure, 0 to 255."""
    return error(data, rows, shown, data.masks[rows] / 255)


def unsure_error(data: Puppets, rows: np.ndarray, shown: np.ndarray) -> float:
    """Mean difference from the truth where drafts are not sure of the figure, 0 to 255."""
    unsure = 1 - data.confidence[rows] / 255
    # Where the background is not known at all, most of a picture is not sure.
    return error(data, rows, shown, unsure * (unsure.mean((1, 2), keepdims=True) < 0.5))


def error(data: Puppets, rows: np.ndarray, shown: np.ndarray, weights: np.ndarray) -> float:
    """Mean difference from the truth by `weights` (n, height, width), 0 to 255."""
    apart = np.abs(shown.astype(float) - data.images[rows])
    return float((apart * weights[..., None]).sum() / max(1e-6, 3 * weights.sum()))


def reference_group(masks: torch.Tensor, weight: float, first: int) -> Group:
    """The group of pictures, from row `first` on, that see their own reference, whose figure is `masks` (n, 1, height, width); references
    are the first rows."""
    count, where = len(masks), masks.device
    weights = torch.full((count,), float(weight), device=where)
    return Group(first, first + count, [Source(torch.arange(count, device=where), weights, masks)])


@torch.no_grad()
def draw(networks, latents, data: Puppets, rows, references, captions: list[str], settings: dict, drafts=None) -> np.ndarray:
    """Samples for the poses of `rows`, (n, height, width, 3) bytes, guided away from the same without `references`,
    or without a caption where there are none. Begun from `drafts`, if there are any, and then not guided."""
    where, count = networks.where, len(rows)
    x = torch.randn((count, *latents.values.shape[1:]), generator=torch.Generator().manual_seed(5)).to(where)
    known, noise, groups = None, None, []
    if references is None:
        shown, texts = np.concatenate([rows, rows]), [""] * count + captions
    else:
        known = latents[references]
        noise = torch.randn(known.shape, generator=torch.Generator().manual_seed(6)).to(where)
        away, without = ([rows], captions) if drafts is None else ([], [])
        shown = np.concatenate([references, *away, rows])
        texts = [data.rows[row]["scene_caption"] for row in references] + without + captions
        masks = torch.from_numpy(data.masks[references]).to(where)[:, None].float() / 255
        groups = [reference_group(masks, settings["weight"], len(shown) - count)]
    drafted = (np.arange(len(shown)) >= len(shown) - count) & (drafts is not None)
    context, control = networks.context(texts), control_images(data, shown, drafted, where)
    start = None if drafts is None else drafts[rows]
    return sheet.to_bytes(latents.decode(sample(networks, x, known, noise, context, control, groups, settings, start)))


@torch.no_grad()
def sample(networks, x, known, noise, context, control, groups: list[Group], settings: dict, start=None) -> torch.Tensor:
    """DDIM from the pure noise `x` to latents. A batch has the references `known`, if any, with `noise` on them, then
    the pictures to be guided away from, then those to be guided toward; `context` and `control` have as many rows. With the latents
    `start` only the last steps are made, from these with noise on them, and there is no guidance."""
    scheduler, where = networks.scheduler, networks.where
    scheduler.set_timesteps(settings["steps"])
    steps = scheduler.timesteps.tolist()
    if start is not None:
        steps = steps[round(len(steps) * (1 - settings["strength"])) :]
        x = scheduler.add_noise(start, x, torch.tensor([steps[0]]))
    for time in steps:
        pictures = [x, x] if start is None else [x]
        noisy, times = pictures, [time] * (len(pictures) * len(x))
        if known is not None:
            earlier = max(0, time - settings["earlier"])
            noisy = [scheduler.add_noise(known, noise, torch.tensor([earlier])), *noisy]
            times = [earlier] * len(known) + times
        everywhere = torch.ones(len(times), device=where)
        times = torch.tensor(times, device=where)
        v = networks.predict(torch.cat(noisy), times, context, control, everywhere, groups)
        if start is None:
            away, v = v[-2 * len(x) :].chunk(2)
            v = away + settings["guidance"] * (v - away)
        x = scheduler.step(v[-len(x) :], time, x, eta=0.0).prev_sample
    return x
