"""Whether diffusers, on the same noise, draws what dreamtuner draws.

`python models/mini/compare.py --dreamtuner PROGRAM`: one frame without references, with plain classifier-free guidance.
Prints the peak signal-to-noise ratio between both pictures in dB, and fails below 45.

With `--subject hero.subject --export FOLDER`, what `dreamtuner tune --export` wrote: the subject, and in diffusers its LoRA
in both namings with its word; fails below 40 dB.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionControlNetPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

MODEL = Path(__file__).resolve().parent
ROOT = MODEL.parents[1]
PROMPT, STEPS, SCALE = "lime bowl cut hair, white shirt, brown shorts, smile, white background", 20, 2.0
LEAST, LEAST_OF_SUBJECTS = 45.0, 40.0  # dB
LORAS = ("pytorch_lora_weights.safetensors", "lora_kohya.safetensors")


def run(*words) -> None:
    """Runs a command, which must succeed."""
    subprocess.run([str(word) for word in words], check=True)


def picture(folder: Path) -> Image.Image:
    """The one picture in a folder."""
    return Image.open(next(folder.glob("*.png"))).convert("RGB")


def by_dreamtuner(program: str, pose: Path, folder: Path, size: int, prompt: str, subject: Path | None) -> np.ndarray:
    """The program's picture."""
    weights = ["--reference-weight", 0, "--previous-weight", 0, "--beta", 0, "--steps", STEPS, "--prompt", prompt]
    weights += ["--subject", subject] if subject else []
    guidance = ["--guidance", "classifier-free", "--guidance-scale", SCALE, "--noise", folder / "noise.safetensors"]
    inputs = ["--model", MODEL, "--reference", ROOT / "examples/hero.png", "--pose", pose, "--size", f"{size}x{size}"]
    inputs += ["--retarget", "none"]
    run(program, "animate", *inputs, *weights, *guidance, "-o", f"{folder}/frames/")
    return np.asarray(picture(folder / "frames")).astype(float)


def by_diffusers(pipeline, control: Image.Image, latents: torch.Tensor, prompt: str) -> np.ndarray:
    """The pipeline's picture."""
    result = pipeline(
        prompt,
        image=control,
        latents=latents,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        output_type="np",
    )
    return (result.images[0] * 255).round()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dreamtuner", default="dreamtuner", help="the program")
    parser.add_argument("--pose", type=Path, default=ROOT / "examples/hero.pose.json", help="pose file of one frame")
    parser.add_argument("--subject", type=Path, help="a tuned subject of this model")
    parser.add_argument("--export", type=Path, help="the folder that it was exported to")
    options = parser.parse_args()
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(MODEL)
    prompt, loras = PROMPT, [None]
    if options.subject:
        word = options.export / "learned_embeds.safetensors"
        pipeline.load_textual_inversion(word)
        with safe_open(word, "pt") as file:
            prompt, loras = f"{next(iter(file.keys()))}, {PROMPT}", LORAS
    side, factor = pipeline.unet.config.sample_size, pipeline.vae_scale_factor
    shape = (1, pipeline.unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with tempfile.TemporaryDirectory() as name:
        folder, size = Path(name), side * factor
        noise = {"latent": latents, "reference": torch.zeros(shape), "lambda": torch.zeros(STEPS)}
        save_file(noise, folder / "noise.safetensors")
        run(options.dreamtuner, "pose", "draw", options.pose, "-o", f"{folder}/control/", "--size", f"{size}x{size}")
        own = by_dreamtuner(options.dreamtuner, options.pose, folder, size, prompt, options.subject)
        control = picture(folder / "control")
    for lora in loras:
        if lora:
            pipeline.load_lora_weights(options.export, weight_name=lora)
        other = by_diffusers(pipeline, control, latents, prompt)
        if lora:
            pipeline.unload_lora_weights()
        error = np.square(own - other).mean()
        ratio = 10 * np.log10(255**2 / error) if error > 0 else np.inf
        print(f"{lora or 'model'}: largest difference {np.abs(own - other).max():.0f} of 255, {ratio:.1f} dB")
        least = LEAST_OF_SUBJECTS if lora else LEAST
        if ratio < least:
            raise SystemExit(f"below {least} dB")


if __name__ == "__main__":
    main()
