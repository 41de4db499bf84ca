"""Whether the seams of `dreamtuner split --extra-split` are seen: flicker at seams against that of the clip rendered at once.

    pip install numpy pillow
    python benches/seams.py [PUPPETS] [WORK]

Needs `dreamtuner` in the PATH. Held-out puppets dance 24 frames, rendered at once, and in three pieces with 0, 4 and 8 frames of
warm-up. Flicker is what `dreamtuner eval` calls so: the mean of |(frame − frame before) − (truth − truth before)|, of 255.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

FRAMES, PIECE = 24, 8
SEAMS = list(range(PIECE, FRAMES, PIECE))
WARM_UPS = (0, 4, 8)


def run(*arguments) -> None:
    subprocess.run(["dreamtuner", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def frames(folder: Path) -> np.ndarray:
    """(frames, height, width, 3)."""
    return np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in sorted(folder.glob("*.png"))])


def flicker(clip: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """For each frame but the first one."""
    return np.abs(np.diff(clip, axis=0) - np.diff(truth, axis=0)).mean((1, 2, 3))


def clips(work: Path, seed: int) -> dict[str, np.ndarray]:
    """The flicker of one puppet's clips, by their names."""
    work.mkdir(parents=True, exist_ok=True)
    figure = ("--seed", seed, "--size", 128)
    run("puppet", "clip", *figure, "--dance", "disco", "--frames", FRAMES, "--fps", 12, "--poses", work / "poses.json", "-o", f"{work}/truth/")
    run("puppet", "image", *figure, "--poses", work / "rest.json", "-o", work / "reference.png")
    job = ["--reference", work / "reference.png", "--reference-pose", work / "rest.json", "--pose", work / "poses.json", "--fps", 12]
    run("animate", *job, "-o", f"{work}/whole/")
    for warm_up in WARM_UPS:
        split = work / f"{warm_up}.split"
        run("split", *job, "--extra-split", PIECE, "--warm-up", warm_up, "-o", split)
        for shot in range(len(SEAMS) + 1):
            run("animate", "--split", split, "--shot", shot)
        run("merge", split, "-o", f"{work}/{warm_up}/")
    truth = frames(work / "truth")
    return {name: flicker(frames(work / name), truth) for name in ("whole", *map(str, WARM_UPS))}


def main() -> None:
    puppets = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    work = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    all_clips = [clips(work / str(seed), seed) for seed in range(1_000_000, 1_000_000 + puppets)]
    # The difference of frames 7 and 8 is number 7.
    at_seams = [seam - 1 for seam in SEAMS]
    own = np.array([clip["whole"] for clip in all_clips])
    print(f"{puppets} puppets, {own[:, at_seams].size} seams; the clip at once: {own.mean():.2f}, there {own[:, at_seams].mean():.2f}")
    for warm_up in WARM_UPS:
        seams = np.array([clip[str(warm_up)] for clip in all_clips])[:, at_seams]
        ratio = seams / own[:, at_seams]
        print(f"warm-up {warm_up}: {seams.mean():.2f}, {ratio.mean():.2f} times the clip's own (most {ratio.max():.2f})")


main()
