"""Stage 4: U-Net and ControlNet together, on latents, with self-subject-attention from the first step.

The text encoder is that of the stages before and stays as it is. The prediction is v, on a schedule whose last step is pure
noise (zero terminal signal-to-noise ratio): without it, white backgrounds come out grey.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPModel, CLIPTokenizer

from . import adopt, batches, checkpoint, drawn, run, samples, subject_attention, tokenizer, workers
from .data import Puppets, control_images
from .latents import Latents
from .muon import Muon


@dataclass
class Networks:
    """All that a prediction needs."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    attention: subject_attention.SubjectAttention
    text: torch.nn.Module
    words: CLIPTokenizer
    scheduler: DDIMScheduler
    where: torch.device

    @torch.no_grad()
    def context(self, captions: list[str]) -> torch.Tensor:
        """Text contexts, (n, tokens, width)."""
        with run.half(self.where):
            return self.text(tokenizer.encode(self.words, captions).to(self.where)).last_hidden_state.float()

    def predict(self, noisy, times, context, control, controlled, groups: list) -> torch.Tensor:
        """v for every row; `controlled` (n) is 0 where the ControlNet is left out."""
        self.attention.groups = groups
        keep = controlled[:, None, None, None]
        with run.half(self.where), attention_kernels(self.where):
            down, middle = self.controlnet(noisy, times, context, control, return_dict=False)
            residuals = {
                "down_block_additional_residuals": [residual * keep.to(residual.dtype) for residual in down],
                "mid_block_additional_residual": middle * keep.to(middle.dtype),
            }
            return self.unet(noisy, times, context, **residuals).sample.float()


def attention_kernels(where: torch.device):
    """PyTorch's own choice; on a processor, the plain mathematics is faster for so few tokens."""
    return sdpa_kernel(SDPBackend.MATH) if where.type == "cpu" else contextlib.nullcontext()


def build(settings: dict, work: Path, where: torch.device) -> Networks:
    """New U-Net and ControlNet (the encoder of both starts equal), and the finished text encoder."""
    unet = UNet2DConditionModel(**settings["unet"])
    controlnet = ControlNetModel(**settings["controlnet"])
    for name in ("conv_in", "time_embedding"):
        getattr(controlnet, name).load_state_dict(getattr(unet, name).state_dict())
    for network in (unet, controlnet):
        network.to(where, memory_format=torch.channels_last)
    return Networks(
        unet=unet,
        controlnet=controlnet,
        attention=subject_attention.install(unet),
        text=CLIPModel.from_pretrained(work / "clip/model").text_model.to(where).eval(),
        words=CLIPTokenizer.from_pretrained(work / "clip/tokenizer"),
        scheduler=DDIMScheduler(**settings["scheduler"]),
        where=where,
    )


def figure_weights(data: Puppets, rows, drafted, side: int, extra: dict, where: torch.device) -> torch.Tensor:
    """1 on the background, 1 + `extra["figure"]` on the figure, 1 + `extra["face"]` on its face, (n, 1, side, side). Where rows are
    `drafted`, faces count as the rest of the figure does, and what the draft is not sure of by `extra["unsure"]` more."""
    masks = torch.from_numpy(data.masks[rows]).to(where)[:, None].float() / 255
    figure = extra["figure"] * F.adaptive_avg_pool2d(masks, (side, side))
    faces = torch.from_numpy(np.stack([face(data.rows[row], data.size, side) for row in rows])).to(where)
    shown = torch.from_numpy(drafted).to(where)[:, None, None, None]
    faces = faces[:, None] * torch.where(shown, 0.0, extra["face"])
    unsure = 1 - torch.from_numpy(data.confidence[rows]).to(where)[:, None].float() / 255
    # A background that is not known at all says nothing of the figure.
    share = torch.where(unsure.mean((1, 2, 3), keepdim=True) < 0.5, extra["unsure"], 0.0)
    unsure = F.adaptive_avg_pool2d(unsure, (side, side)) * torch.where(shown, share, 0.0)
    return 1 + torch.maximum(figure, faces) + unsure


def face(row: dict, size: int, side: int) -> np.ndarray:
    """1 where the middle of a cell is no further from the nose than the neck is, (side, side)."""
    nose, neck = (np.array(row["keypoints"][joint]) for joint in (0, 1))
    if nose[2] == 0 or neck[2] == 0:
        return np.zeros((side, side), np.float32)
    places = (np.arange(side) + 0.5) * size / side
    apart = np.hypot(places[None, :] - nose[0], places[:, None] - nose[1])
    return (apart <= np.hypot(*(nose - neck)[:2])).astype(np.float32)


def time_weights(scheduler: DDIMScheduler, times: torch.Tensor, gamma: float) -> torch.Tensor:
    """min(snr + 1, gamma) / (snr + 1): min-SNR weighting for v, which at pure noise is 1."""
    alpha = scheduler.alphas_cumprod.to(times.device)[times]
    return torch.clamp(gamma * (1 - alpha), max=1.0)


def velocity(scheduler: DDIMScheduler, noisy: torch.Tensor, clean: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """The v that leads from `noisy` to `clean`, whatever the noise lies on."""
    alpha = scheduler.alphas_cumprod.to(times.device)[times][:, None, None, None]
    return (alpha.sqrt() * noisy - clean) / (1 - alpha).sqrt()


def loss_of(networks: Networks, latents, data: Puppets, batch: batches.Batch, settings: dict) -> dict:
    """Weighted error of v over all rows, references too; the unweighted one apart for pictures with and without one, and for those
    that begin from a draft. `latents` are those of pictures and of drafts."""
    latents, draft_latents = latents
    where, scheduler = networks.where, networks.scheduler
    clean, times = latents[batch.rows], torch.from_numpy(batch.times).to(where)
    noise = torch.randn(clean.shape, device=where)
    context = networks.context(batch.captions)
    control = control_images(data, batch.rows, batch.drafted, where)
    learnt = torch.ones(len(clean), device=where)
    if np.random.rand() < settings["drawn"]["share"]:
        clean, noise = drawn.replace(networks, data, batch, (clean, noise, context, control), settings["drawn"])
        learnt[batch.groups[-1].sources[1].rows] = 0
    below, begun = clean.clone(), np.flatnonzero(batch.begun)
    share = torch.from_numpy(batch.begun[begun]).to(clean)[:, None, None, None]
    below[begun] = torch.lerp(clean[begun], draft_latents[batch.rows[begun]], share)
    noisy = scheduler.add_noise(below, noise, times).contiguous(memory_format=torch.channels_last)
    controlled = torch.from_numpy(batch.controlled).to(where)
    predicted = networks.predict(noisy, times, context, control, controlled, batch.groups)
    wanted = velocity(scheduler, noisy, clean, times)
    extra = settings["extra_weights"]
    figure = figure_weights(data, batch.rows, batch.drafted, clean.shape[-1], extra, where)
    errors = ((predicted - wanted).square() * figure).mean((1, 2, 3)) / figure.mean((1, 2, 3))
    weighted = errors * time_weights(scheduler, times, settings["gamma"]) * learnt
    first, referred = batch.references, batch.groups[0].first
    repaired = errors[begun].mean() if len(begun) else errors.new_zeros(())
    parts = {"alone": errors[first:referred].mean(), "reference": errors[referred:].mean(), "repaired": repaired}
    return {"loss": weighted.mean(), **parts}


def train(settings: dict, data: Puppets, folder: Path, limits: run.Limits, start: Path | None) -> None:
    """Trains, taking up `folder`'s checkpoint, or the weights in `start`; leaves the averaged networks in `folder`."""
    where = run.device()
    networks = build(settings, folder.parent, where)
    trained = {"unet": networks.unet, "controlnet": networks.controlnet}
    if start is not None:
        for name, network in trained.items():
            adopt.take_over(network, type(network).from_pretrained(start / name).state_dict())
    vae = folder.parent / "vae/model"
    latents = Latents(vae, data, data.images, folder / "latents", where)
    drafts = Latents(vae, data, data.drafts, folder / "draft-latents", where)
    optimizer = Muon(list(trained.values()), settings["weight_decay"])
    average = run.Average(list(trained.values()), settings["average"])
    saved = run.Saved(folder, trained, optimizer, average)
    step = saved.restore()
    schedule, losses = run.Schedule(settings, folder, limits), run.Losses(folder / "losses.csv")
    saver, sampler = run.Every(settings["save_minutes"]), run.Every(settings["sample_minutes"])
    while not schedule.finished(step):
        run.set_rate(optimizer, schedule.rate(step))
        batch = batches.draw(data, settings, step, where)
        parts = loss_of(networks, (latents, drafts), data, batch, settings)
        run.descend(optimizer, parts["loss"], average.parameters)
        average.update(step)
        losses.add(step, len(batch.rows) - batch.references, **parts)
        step += 1
        if saver.due():
            store(saved, step)
        if sampler.due():
            show(saved, networks, (latents, drafts), data, settings, step)
    if workers.place() == 0:
        store(saved, step)
        show(saved, networks, (latents, drafts), data, settings, step)


def store(saved: run.Saved, step: int) -> None:
    """Writes the checkpoint and the averaged networks."""
    saved.store(step)
    with saved.average.applied():
        for name, network in saved.networks.items():
            checkpoint.save_network(network, saved.folder / name)


def show(saved: run.Saved, networks: Networks, latents, data: Puppets, settings: dict, step: int) -> None:
    """A sample sheet with the averaged weights."""
    with saved.average.applied():
        samples.show(networks, *latents, data, settings["samples"], saved.folder, step)
