"""Times diffusers on the same weights as `cargo bench` and prints the ratio.

    cargo bench && python benches/diffusers_ratio.py [MODEL FOLDER]    (tests/fixtures/requirements.txt)

unet_step  one pass of the U-Net: batch 1, no reference, no ControlNet.
frame      one frame from latent noise to pixels: 20 DDIM steps of interleaved guidance (18 steps of Eq. 4, 2 of Eq. 5),
           ControlNet, the reference picture and the previous frame (encoded here) through S-S-A. The features of both
           are recomputed for every frame and branch, the straightforward way.

Medians after one warm-up run. The Rust times are criterion's, for benchmarks whose name ends in the same words.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/fixtures"))
from dreamtuner import DreamTuner, Frame, Guidance, Reference  # noqa: E402

STEPS = 20


def median_seconds(run: Callable[[], object], times: int) -> float:
    """The median of `times` runs, after one that does not count."""
    durations = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        run()
        durations.append(time.perf_counter() - begin)
    return statistics.median(durations[1:])


def measure(folder: Path, size: int | None, times: int) -> dict[str, float]:
    """Seconds of each benchmark with diffusers."""
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    vae, unet = pipeline.vae, pipeline.unet
    size = size or vae.config.sample_size
    side, scale = size // 2 ** (len(vae.config.block_out_channels) - 1), vae.config.scaling_factor

    def context(prompt: str) -> torch.Tensor:
        return pipeline.encode_prompt(prompt, "cpu", 1, False)[0]

    torch.manual_seed(0)
    picture, previous, control = (torch.rand(1, 3, size, size) for _ in range(3))
    start, noise = (torch.randn(1, 4, side, side) for _ in range(2))
    text, mask = context("red hair, green eyes, smile"), torch.ones(1, 1, size, size)
    wanted = Frame(control, text, context(""))
    reference = Reference(vae.encode(picture * 2 - 1).latent_dist.mean * scale, mask, control, text, 10.0)
    chances = [(step + 0.5) / STEPS for step in range(STEPS)]
    plain = median_seconds(lambda: unet(start, 481, text), 4 * times)

    tuner = DreamTuner(unet, pipeline.controlnet, DDIMScheduler.from_config(pipeline.scheduler.config))

    def frame() -> torch.Tensor:
        latent = vae.encode(previous * 2 - 1).latent_dist.mean * scale
        references = [reference, Reference(latent, mask, control, text, 1.0)]
        return vae.decode(tuner.sample(start, wanted, references, noise, chances, Guidance())[-1] / scale).sample

    return {"unet_step": plain, "frame": median_seconds(frame, times)}


def criterion_seconds(name: str) -> float | None:
    """Criterion's latest median of a benchmark, if `cargo bench` has run."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion"
    for estimates in sorted(target.glob("**/new/estimates.json")):
        if estimates.parents[1].name == name:
            return json.loads(estimates.read_text())["median"]["point_estimate"] / 1e9
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=ROOT / "models/mini", help="diffusers folder (default: models/mini)")
    parser.add_argument("--size", type=int, help="side of the picture in pixels (default: that of the VAE's config)")
    parser.add_argument("--runs", type=int, default=5, help="runs of a frame; a U-Net step runs four times as often")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        measured = measure(options.model, options.size, options.runs)
    print(f"{'':10} {'diffusers':>12} {'dreamtuner':>12} {'ratio':>8}   (milliseconds; above 1: dreamtuner is faster)")
    for name, theirs in measured.items():
        ours = criterion_seconds(name)
        columns = f"{ours * 1e3:12.2f} {theirs / ours:8.2f}" if ours else f"{'not run':>12} {'':>8}"
        print(f"{name:10} {theirs * 1e3:12.2f} {columns}")


if __name__ == "__main__":
    main()
