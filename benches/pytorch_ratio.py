"""Times PyTorch and this program by turns on one pass of a U-Net of Stable Diffusion 1.5's size, weights by chance.

    python benches/pytorch_ratio.py    (tests/fixtures/requirements.txt)

Prints medians, spread and ratio. Below 1: this program is faster. `--bf16` adds PyTorch in bfloat16, which pays where the
processor has instructions for it.
"""

import argparse
import statistics
import time

import torch
from asked import Benchmark
from diffusers import UNet2DConditionModel

SIDES = (256, 512)


class Theirs:
    """The same network in diffusers."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8).to(dtype).eval()
        self.text = torch.randn(1, 77, 768, dtype=dtype)

    def seconds(self, side: int) -> float:
        latent = torch.randn(1, 4, side // 8, side // 8, dtype=self.dtype)
        begin = time.perf_counter()
        self.unet(latent, 481, self.text)
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="passes of each, after one that does not count")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; ours are set by RAYON_NUM_THREADS")
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    programs = {"dreamtuner": Benchmark("unet"), "PyTorch f32": Theirs(torch.float32)}
    if options.bf16:
        programs["PyTorch bf16"] = Theirs(torch.bfloat16)
    print(f"{'side':>4} {'program':>14} {'median':>8} {'least':>8} {'most':>8}  ratio    (seconds)")
    with torch.inference_mode():
        for side in SIDES:
            times = {name: [] for name in programs}
            for run in range(options.runs + 1):
                for name, program in programs.items():
                    seconds = program.seconds(side)
                    if run:
                        times[name].append(seconds)
            medians = {name: statistics.median(values) for name, values in times.items()}
            for name, values in times.items():
                ratio = medians["dreamtuner"] / medians[name]
                spread = f"{min(values):8.3f} {max(values):8.3f}"
                print(f"{side:4} {name:>14} {medians[name]:8.3f} {spread}  {ratio:5.2f}", flush=True)


if __name__ == "__main__":
    main()
