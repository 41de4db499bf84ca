"""Files that are either whole or not there: a run may be killed at any moment."""

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import torch


def replace(path: Path, write) -> None:
    """Calls `write(temporary path)`, then gives the file its name in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    write(temporary)
    os.replace(temporary, path)


def save(path: Path, state: dict) -> None:
    """Writes a checkpoint: tensors, numbers and the state of every random generator."""
    state = dict(state, random=random_state())
    replace(path, lambda temporary: torch.save(state, temporary))


def load(path: Path) -> dict | None:
    """A checkpoint with its tensors on the CPU, the random generators set as they were; None where there is none."""
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=False)
    set_random_state(state["random"])
    return state


def save_network(network, folder: Path) -> None:
    """Writes a network as diffusers and transformers do; the folder before it goes when the new one is whole."""
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    network.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def write_json(path: Path, value) -> None:
    """Writes `value` as indented JSON."""
    replace(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))


def random_state() -> dict:
    """The state of the generators of Python, NumPy and PyTorch."""
    state = {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: dict) -> None:
    """Brings back what `random_state` gave."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def seed(value: int) -> None:
    """Seeds every generator that the training uses."""
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)
