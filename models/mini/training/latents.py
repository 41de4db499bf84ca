"""Latents of the pictures, encoded when first needed and kept in a memory-mapped array."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from . import checkpoint, run, workers
from .data import Puppets
from .vae import to_tensor


class Latents:
    """Scaled latents (rows, channels, height, width) of all `images` (rows, height, width, 3) of `data`."""

    def __init__(self, vae_folder: Path, data: Puppets, images: np.ndarray, cache: Path, where: torch.device):
        self.vae = AutoencoderKL.from_pretrained(vae_folder).to(where, memory_format=torch.channels_last).eval()
        self.images, self.where = images, where
        side = data.size >> (len(self.vae.config.block_out_channels) - 1)
        shape = (len(data.rows), self.vae.config.latent_channels, side, side)
        note = {"shape": shape, "vae": fingerprint(vae_folder), "data": data.fingerprint}
        cache.mkdir(parents=True, exist_ok=True)
        done = cache / "done.json"
        with workers.first_alone():
            if not done.exists() or json.loads(done.read_text()) != json.loads(json.dumps(note)):
                done.unlink(missing_ok=True)
                np.lib.format.open_memmap(cache / "latents.npy", "w+", np.float16, shape).flush()
                np.lib.format.open_memmap(cache / "known.npy", "w+", np.bool_, shape[:1]).flush()
                checkpoint.write_json(done, note)
        self.values = np.lib.format.open_memmap(cache / "latents.npy", "r+")
        self.known = np.lib.format.open_memmap(cache / "known.npy", "r+")

    def __getitem__(self, rows: np.ndarray) -> torch.Tensor:
        """Latents of `rows`, 32 bits."""
        missing = np.unique(rows[~self.known[rows]])
        for part in np.array_split(missing, max(1, len(missing) // 32)) if len(missing) else []:
            self.values[part] = self.encode(part)
            self.known[part] = True
        return torch.from_numpy(self.values[rows]).to(self.where).float()

    @torch.no_grad()
    def encode(self, rows: np.ndarray) -> np.ndarray:
        """The most likely latents of `rows`."""
        with run.half(self.where):
            latents = self.vae.encode(to_tensor(self.images[rows], self.where)).latent_dist.mean
        return (latents.float() * self.vae.config.scaling_factor).half().cpu().numpy()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures in [-1, 1]."""
        with run.half(self.where):
            return self.vae.decode(latents / self.vae.config.scaling_factor).sample.float().clamp(-1, 1)


def fingerprint(folder: Path) -> str:
    """Changes with the network's weights."""
    return hashlib.sha256((folder / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()
