"""Times PyTorch and this program by turns on one pass of a U-Net of Stable Diffusion 1.5's size, weights by chance.

    python benches/pytorch_ratio.py    (tests/fixtures/requirements.txt)

Prints medians, spread and ratio. Below 1: this program is faster. `--bf16` adds PyTorch in bfloat16, which pays where the
processor has instructions for it.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

ROOT = Path(__file__).resolve().parents[1]
SIDES = (256, 512)


def build() -> str:
    """Builds the benchmark, and tells where it lies."""
    command = ["cargo", "bench", "--bench", "unet", "--no-run", "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    artifacts = (json.loads(line) for line in lines)
    return next(a["executable"] for a in artifacts if a.get("target", {}).get("name") == "unet" and a.get("executable"))


class Ours:
    """The benchmark, asked for one pass at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([build(), "--ask"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, side: int) -> float:
        self.process.stdin.write(f"{side}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


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
    programs = {"dreamtuner": Ours(), "PyTorch f32": Theirs(torch.float32)}
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
