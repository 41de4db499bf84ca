"""The pictures: a folder as `dreamtuner puppet dataset` writes it, decoded once into memory-mapped arrays."""

import hashlib
import json
import multiprocessing
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import checkpoint

# Column of metadata.jsonl, name of the array, mode of the picture.
COLUMNS = (
    ("file_name", "images", "RGB"),
    ("mask_file_name", "masks", "L"),
    ("control_file_name", "control", "RGB"),
    ("draft_file_name", "drafts", "RGB"),
    ("confidence_file_name", "confidence", "L"),
)

# A reference, a second one and a picture to learn.
LEAST_VARIANTS = 3


@dataclass
class Puppets:
    """All pictures, sorted by identity; arrays are (rows, size, size[, 3]), 8 bits. References have no draft: theirs is
    black, and not sure."""

    images: np.ndarray
    masks: np.ndarray
    control: np.ndarray
    drafts: np.ndarray
    confidence: np.ndarray
    rows: list[dict]
    held_out: int
    fingerprint: str  # changes with the pictures

    def __post_init__(self):
        identities = np.array([row["identity"] for row in self.rows])
        starts = np.flatnonzero(np.diff(identities, prepend=identities[0] - 1))
        # Pictures with the same number show neighbouring moments of one dance.
        self.moments = np.cumsum([row["follows"] is None for row in self.rows])
        self.groups = np.split(np.arange(len(self.rows)), starts[1:])
        self.groups = [group for group in self.groups if len(group) >= LEAST_VARIANTS]
        if len(self.groups) <= self.held_out:
            raise SystemExit(f"{len(self.groups)} characters with {LEAST_VARIANTS} or more pictures are too few")
        # Sheets and checks use the last identities, which are never trained on.
        self.training = self.groups[: -self.held_out]
        self.checking = self.groups[-self.held_out :]
        self.training_rows = np.concatenate(self.training)
        self.checking_rows = np.concatenate(self.checking)

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return self.images.shape[1]


def control_images(data: Puppets, rows, drafted: np.ndarray, where: torch.device) -> torch.Tensor:
    """What the ControlNet is shown of `rows`, (n, 7, height, width) in [0, 1]: skeleton, draft, and how sure the draft is. Where
    `drafted` (n) is not set, draft and sureness are 0."""
    shown = drafted[:, None, None].astype(np.uint8)
    parts = (data.control[rows], data.drafts[rows] * shown[..., None], (data.confidence[rows] * shown)[..., None])
    values = torch.from_numpy(np.concatenate(parts, axis=-1)).to(where).permute(0, 3, 1, 2)
    return values.contiguous(memory_format=torch.channels_last).float() / 255


def make(folder: Path, settings: dict, size: int, program: str) -> None:
    """Draws the pictures, unless the folder is there."""
    if (folder / "metadata.jsonl").exists():
        return
    command = [program, "puppet", "dataset", "--identities", settings["identities"]]
    command += ["--first-seed", settings["first_seed"], "--variants", settings["variants"]]
    # Without metadata.jsonl, which is written last, what is there is an unfinished folder.
    command += ["--size", size, "--seed", settings["seed"], "--drafts", "--overwrite", "-o", folder]
    subprocess.run([str(part) for part in command], check=True)


def load(folder: Path, cache: Path, size: int, held_out: int) -> Puppets:
    """Maps the arrays, which are made anew where the folder has changed since."""
    metadata = (folder / "metadata.jsonl").read_bytes()
    lines = metadata.decode().splitlines()
    rows = sorted((json.loads(line) for line in lines if line), key=lambda row: (row["identity"], row["variant"]))
    note = {"rows": len(rows), "size": size, "metadata": hashlib.sha256(metadata).hexdigest()}
    done = cache / "done.json"
    if not done.exists() or json.loads(done.read_text()) != note:
        decode(folder, cache, rows, size)
        checkpoint.write_json(done, note)
    arrays = {name: np.load(cache / f"{name}.npy", mmap_mode="r") for _, name, _ in COLUMNS}
    return Puppets(**arrays, rows=rows, held_out=held_out, fingerprint=note["metadata"])


def decode(folder: Path, cache: Path, rows: list[dict], size: int) -> None:
    """Decodes every PNG into the arrays, with all processors."""
    print(f"decoding {len(rows)} pictures", flush=True)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "done.json").unlink(missing_ok=True)
    for _, name, mode in COLUMNS:
        shape = (len(rows), size, size) + ((3,) if mode == "RGB" else ())
        np.lib.format.open_memmap(cache / f"{name}.npy", "w+", np.uint8, shape).flush()
    parts = np.array_split(np.arange(len(rows)), max(1, len(rows) // 256))
    jobs = [(folder, cache, part, [rows[index] for index in part]) for part in parts]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for _ in pool.imap_unordered(decode_part, jobs):
            pass


def decode_part(job) -> None:
    """Decodes some rows into their places."""
    folder, cache, indices, rows = job
    for column, name, mode in COLUMNS:
        array = np.lib.format.open_memmap(cache / f"{name}.npy", "r+")
        for index, row in zip(indices, rows):
            if column not in row:
                continue
            with Image.open(folder / row[column]) as picture:
                array[index] = np.asarray(picture.convert(mode))
        array.flush()
