"""Times diffusers and this program by turns on the same weights, and prints medians, spread and ratio.

    python benches/diffusers_ratio.py [MODEL FOLDER] [--size PIXELS]    (tests/fixtures/requirements.txt)

unet_step         one pass of the U-Net: batch 1, no reference, no ControlNet.
frame             one frame from latent noise to pixels: 20 DDIM steps of interleaved guidance (18 steps of Eq. 4, 2 of Eq. 5),
                  ControlNet, the reference picture and the previous frame (encoded here) through S-S-A. In diffusers, the
                  features of both are recomputed for every frame and branch, the straightforward way.
frame_trajectory  the same frame, where this program looks back at the previous frame's own steps.

Below 1: this program is faster. `benches/random_model.py` makes a folder of Stable Diffusion 1.5's size.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from asked import ROOT, Benchmark
from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline

sys.path.insert(0, str(ROOT / "tests/fixtures"))
from dreamtuner import DreamTuner, Frame, Guidance, Reference  # noqa: E402

STEPS = 20


def theirs(folder: Path, size: int | None) -> tuple[int, dict[str, Callable[[], object]]]:
    """The side of the pictures, and what diffusers runs for each name."""
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    vae, unet = pipeline.vae, pipeline.unet
    size = size or vae.config.sample_size
    channels = unet.config.in_channels
    side, scale = size // 2 ** (len(vae.config.block_out_channels) - 1), vae.config.scaling_factor

    def context(prompt: str) -> torch.Tensor:
        return pipeline.encode_prompt(prompt, "cpu", 1, False)[0]

    torch.manual_seed(0)
    picture, previous, control = (torch.rand(1, 3, size, size) for _ in range(3))
    start, noise = (torch.randn(1, channels, side, side) for _ in range(2))
    text, mask = context("red hair, green eyes, smile"), torch.ones(1, 1, size, size)
    wanted = Frame(control, text, context(""))
    reference = Reference(vae.encode(picture * 2 - 1).latent_dist.mean * scale, mask, control, text, 10.0)
    chances = [(step + 0.5) / STEPS for step in range(STEPS)]
    tuner = DreamTuner(unet, pipeline.controlnet, DDIMScheduler.from_config(pipeline.scheduler.config))

    def frame() -> torch.Tensor:
        latent = vae.encode(previous * 2 - 1).latent_dist.mean * scale
        references = [reference, Reference(latent, mask, control, text, 1.0)]
        return vae.decode(tuner.sample(start, wanted, references, noise, chances, Guidance())[-1] / scale).sample

    return size, {"unet_step": lambda: unet(start, 481, text), "frame": frame, "frame_trajectory": frame}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=ROOT / "models/mini", help="diffusers folder (default: models/mini)")
    parser.add_argument("--size", type=int, help="side of the picture in pixels (default: that of the VAE's config)")
    parser.add_argument("--only", metavar="NAME", help="of the three")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, after one that does not count")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; ours are set by RAYON_NUM_THREADS")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        size, runs = theirs(options.model, options.size)
        ours = Benchmark("render", BENCH_MODEL=str(options.model.resolve()), BENCH_SIDE=str(size))
        print(f"{'':17} {'diffusers':>9} {'least':>9} {'most':>9} {'dreamtuner':>10} {'least':>9} {'most':>9}  ratio   (seconds)")
        for name, run in runs.items():
            if options.only not in (None, name):
                continue
            times: tuple[list[float], list[float]] = ([], [])
            for count in range(options.runs + 1):
                begin = time.perf_counter()
                run()
                pair = (time.perf_counter() - begin, ours.seconds(name))
                if count:
                    times[0].append(pair[0])
                    times[1].append(pair[1])
            medians = [statistics.median(values) for values in times]
            columns = [f"{median:9.4f} {min(values):9.4f} {max(values):9.4f}" for median, values in zip(medians, times)]
            print(f"{name:17} {columns[0]}  {columns[1]}  {medians[1] / medians[0]:5.2f}", flush=True)


if __name__ == "__main__":
    main()
