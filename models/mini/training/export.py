"""Stage 5: the finished model in the layout of diffusers, 16 bits, for `StableDiffusionControlNetPipeline`."""

import csv
import json
import platform
import shutil
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from . import checkpoint

LARGEST_FILE = 16_000_000  # bytes
LARGEST_MODEL = 40_000_000
PARTS = {
    "vae": ("diffusers", "AutoencoderKL"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "controlnet": ("diffusers", "ControlNetModel"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "scheduler": ("diffusers", "DDIMScheduler"),
    "feature_extractor": ("transformers", "CLIPImageProcessor"),
    "safety_checker": (None, None),
}


def export(settings: dict, work: Path, output: Path) -> None:
    """Writes the averaged networks of all stages to `output`, replacing the parts there."""
    new = output / "export.part"
    shutil.rmtree(new, ignore_errors=True)
    for part, network in networks(work).items():
        network.half().save_pretrained(new / part)
        tidy(new / part / "config.json", part)
    shutil.copytree(work / "clip/tokenizer", new / "tokenizer")
    DDIMScheduler(**settings["diffusion"]["scheduler"]).save_pretrained(new / "scheduler")
    side = settings["clip"]["image"]["image_size"]
    size = {"height": side, "width": side}
    middle = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    CLIPImageProcessor(size=size, crop_size=size, **middle).save_pretrained(new / "feature_extractor")
    index = {"_class_name": "StableDiffusionControlNetPipeline", "_diffusers_version": diffusers.__version__}
    checkpoint.write_json(new / "model_index.json", {**index, **PARTS, "requires_safety_checker": False})
    checkpoint.write_json(new / "training.json", record(settings, work))
    check_sizes(new)
    for part in new.iterdir():
        place = output / part.name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        part.rename(place)
    new.rmdir()


def networks(work: Path) -> dict[str, torch.nn.Module]:
    """All networks, by the name of their folder."""
    clip = CLIPModel.from_pretrained(work / "clip/model")
    # The text projection, which only CLIP scores need, lies beside the text encoder's own weights.
    text = CLIPTextModelWithProjection(clip.config.text_config)
    text.load_state_dict({key: value for key, value in clip.state_dict().items() if key.startswith("text_")})
    image = CLIPVisionModelWithProjection(clip.config.vision_config)
    image.load_state_dict({key: value for key, value in clip.state_dict().items() if key.startswith("vis")})
    return {
        "vae": AutoencoderKL.from_pretrained(work / "vae/model"),
        "unet": UNet2DConditionModel.from_pretrained(work / "diffusion/unet"),
        "controlnet": ControlNetModel.from_pretrained(work / "diffusion/controlnet"),
        "text_encoder": text,
        "image_encoder": image,
    }


def tidy(path: Path, part: str) -> None:
    """Leaves out where a network was loaded from, and has transformers load its parts in 32 bits, as diffusers does."""
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    in_32_bits = {"dtype": "float32"} if PARTS[part][0] == "transformers" else {}
    checkpoint.write_json(path, {**config, **in_32_bits})


def record(settings: dict, work: Path) -> dict:
    """How this model came to be: configuration, steps, last figures of every stage, versions."""
    stages = {}
    for stage in ("vae", "clip", "diffusion"):
        if not (work / stage / "checkpoint.pt").exists():
            stages[stage] = "as before"  # taken over from the model that training began with
            continue
        state = torch.load(work / stage / "checkpoint.pt", map_location="cpu", weights_only=False)
        step = state["step"]
        figures = {name: last_line(work / stage / f"{name}.csv") for name in ("losses", "checks", "samples")}
        seen = step * pictures_in_a_step(settings[stage]) * state.get("processes", 1)
        stages[stage] = {"steps": step, "pictures_seen": seen, **{key: value for key, value in figures.items() if value}}
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    note = json.loads((work / "data/done.json").read_text())
    before = work / "before.json"
    return {
        "configuration": settings,
        "pictures": note["rows"],
        "stages": stages,
        # The training of the model that this one began with.
        "before": json.loads(before.read_text()) if before.exists() else None,
        "versions": {"python": platform.python_version(), **versions},
    }


def pictures_in_a_step(settings: dict) -> int:
    """Pictures that one step learns from, references not counted."""
    if "batch" in settings:
        return settings["batch"]
    items, pictures = settings["items"], settings["pictures"]
    return (items["alone"] + items["one"]) * pictures["one"] + items["two"] * pictures["two"]


def last_line(path: Path) -> dict[str, float] | None:
    """The newest figures of a CSV file."""
    if not path.exists():
        return None
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    return {name: float(value) for name, value in lines[-1].items()} if lines else None


def check_sizes(folder: Path) -> None:
    """The model lies in the repository and inside the program: it has to stay small."""
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    largest, total = max(sizes, key=sizes.get), sum(sizes.values())
    if sizes[largest] > LARGEST_FILE or total > LARGEST_MODEL:
        raise SystemExit(f"too large: {largest.name} {sizes[largest]}, all together {total} bytes")
    print(f"exported {total / 1e6:.1f} MB", flush=True)
