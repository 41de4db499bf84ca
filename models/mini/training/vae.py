"""Stage 1: the autoencoder. Random crops around the figure; what counts most is the figure and its outlines."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from . import adopt, checkpoint, run, sheet, workers
from .data import Puppets
from .muon import Muon

# What gives mean and variance of the latents, each in a half of its channels, and along which dimensions.
HALVES = {
    "encoder.conv_out.weight": (0,),
    "encoder.conv_out.bias": (0,),
    "quant_conv.weight": (0, 1),
    "quant_conv.bias": (0,),
}


def build(settings: dict) -> AutoencoderKL:
    """The network of the configuration."""
    return AutoencoderKL(**settings["model"]).to(memory_format=torch.channels_last)


def to_tensor(pictures: np.ndarray, where: torch.device) -> torch.Tensor:
    """(n, h, w, 3) bytes -> (n, 3, h, w) in [-1, 1]."""
    values = torch.from_numpy(pictures).to(where).permute(0, 3, 1, 2).float() / 127.5 - 1
    return values.contiguous(memory_format=torch.channels_last)


def crop_corner(mask: np.ndarray, crop: int) -> tuple[int, int]:
    """Top and left of a crop: four in five have a point of the figure at the centre, as far as the border allows."""
    room = mask.shape[0] - crop
    figure = np.flatnonzero(mask > 127) if np.random.rand() < 0.8 else []
    if room <= 0 or len(figure) == 0:
        return np.random.randint(room + 1), np.random.randint(room + 1)
    y, x = divmod(int(np.random.choice(figure)), mask.shape[1])
    return min(max(y - crop // 2, 0), room), min(max(x - crop // 2, 0), room)


def batch(data: Puppets, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Crops and their masks, bytes."""
    crop = settings["crop"]
    images, masks = [], []
    for row in np.random.choice(data.training_rows, settings["batch"]):
        top, left = crop_corner(data.masks[row], crop)
        place = (row, slice(top, top + crop), slice(left, left + crop))
        images.append(data.images[place])
        masks.append(data.masks[place])
    return np.stack(images), np.stack(masks)


def edges(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences between neighbours, downwards and to the right."""
    return values[..., 1:, :] - values[..., :-1, :], values[..., 1:] - values[..., :-1]


def reconstruction(settings: dict, picture, result, mask) -> dict[str, torch.Tensor]:
    """L1, squared and edge errors, the figure weighing more."""
    weight = 1 + (settings["mask_weight"] - 1) * mask
    weight = weight / weight.mean()
    error = result - picture
    down, right = edges(error)
    outlines = (down.abs() * weight[..., 1:, :]).mean() + (right.abs() * weight[..., 1:]).mean()
    return {"l1": (error.abs() * weight).mean(), "square": (error.square() * weight).mean(), "edges": outlines}


def loss_of(vae: AutoencoderKL, settings: dict, picture, mask) -> dict[str, torch.Tensor]:
    """All parts of the loss, and their sum as `loss`."""
    with run.half(picture.device):
        moments = vae.encode(picture).latent_dist
        result = vae.decode(moments.sample()).sample
    parts = reconstruction(settings, picture, result.float(), mask)
    parts["kl"] = 0.5 * (moments.mean.float() ** 2 + moments.var.float() - 1 - moments.logvar.float()).mean()
    parts["loss"] = sum(settings["weights"][name] * part for name, part in parts.items())
    return parts


@torch.no_grad()
def round_trip(vae: AutoencoderKL, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Latent means and the pictures decoded from them."""
    with run.half(pictures.device):
        latents = vae.encode(pictures).latent_dist.mean
        return latents.float(), vae.decode(latents).sample.float().clamp(-1, 1)


def check(vae: AutoencoderKL, data: Puppets, folder: Path, step: int) -> None:
    """Round trip of pictures that are never trained on: signal-to-noise ratio (dB), spread of latents, a sheet."""
    rows = data.checking_rows[:32]
    pictures = to_tensor(data.images[rows], next(vae.parameters()).device)
    latents, results = round_trip(vae, pictures)
    ratios = -10 * torch.log10((results - pictures).square().mean((1, 2, 3)) / 4)
    white = torch.tensor([data.rows[row]["scene"].startswith("white") for row in rows], device=ratios.device)
    values = {"psnr": ratios.mean(), "psnr_white": ratios[white].mean(), "std": latents.std()}
    values["largest"] = latents.abs().max()
    line = {name: f"{float(value):.3f}" for name, value in values.items()}
    run.append_csv(folder / "checks.csv", {"step": step, **line})
    print("check", step, line, flush=True)
    sheet.save(folder / "sheet.png", [sheet.to_bytes(pictures[:12]), sheet.to_bytes(results[:12])])


def set_scale(vae: AutoencoderKL, data: Puppets) -> None:
    """Sets the factor that brings latents to a variance of one."""
    count = min(256, len(data.training_rows))
    rows = np.sort(np.random.default_rng(0).choice(data.training_rows, count, replace=False))
    parts = [to_tensor(data.images[part], next(vae.parameters()).device) for part in np.array_split(rows, 8)]
    with torch.no_grad():
        latents = torch.cat([vae.encode(part).latent_dist.mean for part in parts])
    vae.register_to_config(scaling_factor=1 / latents.std().item(), latents_mean=None, latents_std=None)


def train(settings: dict, data: Puppets, folder: Path, limits: run.Limits, start: Path | None) -> None:
    """Trains, taking up `folder`'s checkpoint, or the weights in `start`; leaves the averaged network in `folder`."""
    where = run.device()
    vae = build(settings).to(where)
    if start is not None:
        adopt.take_over(vae, AutoencoderKL.from_pretrained(start / "vae").state_dict(), HALVES)
    optimizer = Muon([vae], 0.01)
    average = run.Average([vae], settings["average"])
    saved = run.Saved(folder, {"model": vae}, optimizer, average)
    step = saved.restore()
    schedule, losses = run.Schedule(settings, folder, limits), run.Losses(folder / "losses.csv", 100)
    saver = run.Every(settings["save_minutes"])
    while not schedule.finished(step):
        run.set_rate(optimizer, schedule.rate(step))
        images, masks = batch(data, settings)
        mask = torch.from_numpy(masks).to(where)[:, None].float() / 255
        parts = loss_of(vae, settings, to_tensor(images, where), mask)
        run.descend(optimizer, parts["loss"], vae.parameters())
        average.update(step)
        losses.add(step, len(images), **parts)
        step += 1
        if saver.due():
            store(saved, vae, data, step)
    if workers.place() == 0:
        store(saved, vae, data, step)


def store(saved: run.Saved, vae: AutoencoderKL, data: Puppets, step: int) -> None:
    """Writes the checkpoint, the averaged network and a sheet."""
    saved.store(step)
    with saved.average.applied():
        vae.eval()
        set_scale(vae, data)
        checkpoint.save_network(vae, saved.folder / "model")
        check(vae, data, saved.folder, step)
        vae.train()
