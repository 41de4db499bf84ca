"""Trains MoveNet Thunder on for drawn figures: drawn.safetensors.

    dreamtuner puppet dataset --identities 4000 --first-seed 50000 --variants 3 --size 256 --seed 91 -o puppets
    python train_drawn.py puppets --unlabelled PICTURES --out drawn.safetensors --minutes 60

Puppets give true joints. They are bent out of shape (large heads, short legs), drawn as silhouettes and line art, and set before
all kinds of backgrounds, so that the network learns bodies and not puppets. On pictures without known joints (photographs of
dancers, other drawings) it is to say what it said before, so that it unlearns nothing. The early layers stay as they are.
The state is kept beside the result; the same command goes on. Needs torch 2.15, safetensors, opencv-python-headless, numpy.
"""

import argparse
import json
import random
import time
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as functional
from torch.utils.data import DataLoader, IterableDataset

import network

SIDE, CELLS, JOINTS = 256, 64, 17
# OpenPose's 18 joints, as puppets have them, in COCO's order.
COCO = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
FROZEN = ["stem."] + [f"blocks.{index}." for index in range(6)]


def background(rng, shape):
    """White mostly, else a colour, a gradient or blots."""
    kind = rng.random()
    if kind < 0.45:
        return np.full((*shape, 3), 255.0, np.float32)
    if kind < 0.65:
        return np.full((*shape, 3), rng.choice([0.0, 128.0, rng.uniform(0, 255)]), np.float32)
    size = rng.choice([1, 2, 3, 8, 24])
    blots = np.float32([[[rng.uniform(0, 255) for _ in range(3)] for _ in range(size)] for _ in range(size)])
    return cv2.resize(blots, shape[::-1], interpolation=rng.choice([cv2.INTER_LINEAR, cv2.INTER_NEAREST]))


def stretched(rng, picture, mask, joints):
    """Other proportions: the picture's rows are stretched band by band, and columns with them."""
    height, width = mask.shape
    neck, hips = joints[[5, 6], 1].mean(), joints[[11, 12], 1].mean()
    knots = np.array([0, neck, hips, height], float)
    if not (np.diff(knots) > 4).all():
        return picture, mask, joints
    tall = np.array([rng.uniform(0.7, 1.7), rng.uniform(0.7, 1.3), rng.uniform(0.45, 1.3)])
    wide = np.array([rng.uniform(0.8, 1.5), rng.uniform(0.8, 1.4), rng.uniform(0.8, 1.4)])
    new = np.concatenate([[0], np.cumsum(np.diff(knots) * tall)])
    out = int(np.ceil(new[-1]))
    rows = np.interp(np.arange(out) + 0.5, new, knots)
    middles = (knots[:-1] + knots[1:]) / 2
    # Heads keep their shape; below, the width changes slowly.
    at = np.array([neck - 0.12 * (hips - neck), neck + 0.12 * (hips - neck), middles[1], middles[2]])
    widths = [wide[0] * tall[0] ** 0.7, wide[1], wide[1], wide[2]]
    factor = np.interp(rows, at, widths)
    centre = joints[[5, 6, 11, 12], 0].mean()
    reach = int(width * 1.3)
    across = (np.arange(reach) + 0.5 - reach / 2)[None, :] / factor[:, None] + centre
    maps = np.float32(across - 0.5), np.float32(np.repeat(rows[:, None] - 0.5, reach, 1))
    picture = cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(mask, *maps, cv2.INTER_LINEAR, borderValue=0)
    y = np.interp(joints[:, 1], knots, new)
    x = (joints[:, 0] - centre) * np.interp(joints[:, 1], at, widths) + reach / 2
    return picture, mask, np.stack([x, y], 1)


def restyled(rng, picture, mask):
    """Other ways to draw: silhouettes, lines alone, thicker or no lines, other colours, coarse pixels."""
    kind = rng.random()
    grey = picture.mean(2, keepdims=True)
    if kind < 0.08:
        picture = np.zeros_like(picture) + np.float32([rng.uniform(0, 200) for _ in range(3)])
    elif kind < 0.2:
        blurred = cv2.GaussianBlur(picture, (0, 0), 2.0)
        lines = np.clip((blurred - picture).max(2, keepdims=True) * rng.uniform(3, 8), 0, 255)
        edge = cv2.morphologyEx((mask > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))[..., None] * 255.0
        picture = 255 - np.maximum(lines, edge) + np.zeros_like(picture)
    elif kind < 0.3:
        picture = cv2.erode(picture, np.ones((3, 3)))
    elif kind < 0.4:
        picture = cv2.dilate(picture, np.ones((3, 3)))
    elif kind < 0.5:
        picture = np.repeat(grey, 3, 2)
    elif kind < 0.58:
        levels = rng.choice([32, 64, 96])
        picture = np.floor(picture / levels) * levels + levels / 2
    if rng.random() < 0.5:
        picture = picture[..., rng.sample(range(3), 3)] * rng.uniform(0.6, 1.2) + rng.uniform(-30, 30)
    return np.clip(picture, 0, 255)


class Pictures(IterableDataset):
    """Pictures of SIDE × SIDE with joints in pixels, NaN where they are outside; all NaN where they are not known."""

    def __init__(self, puppets, unlabelled, share, seed):
        self.puppets, self.unlabelled, self.share, self.seed = puppets, unlabelled, share, seed

    def __iter__(self):
        cv2.setNumThreads(0)
        rng = random.Random(self.seed)
        while True:
            known = rng.random() >= self.share or not self.unlabelled
            yield self.puppet(rng) if known else self.other(rng)

    def puppet(self, rng):
        path, joints = rng.choice(self.puppets)
        picture = cv2.imread(str(path))[..., ::-1].astype(np.float32)
        mask = cv2.imread(str(path).replace("images", "masks"), cv2.IMREAD_GRAYSCALE).astype(np.float32)
        joints = joints.copy()
        if rng.random() < 0.6:
            picture, mask, joints = stretched(rng, picture, mask, joints)
        if rng.random() < 0.8:
            alpha = mask[..., None] / 255
            picture = restyled(rng, picture, mask) * alpha + background(rng, mask.shape) * (1 - alpha)
        ys, xs = np.nonzero(mask > 127)
        return self.framed(rng, picture, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), joints)

    def other(self, rng):
        picture = cv2.imread(str(rng.choice(self.unlabelled)), cv2.IMREAD_UNCHANGED)
        picture = (picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)).astype(np.float32)
        colours = picture[..., 2::-1]
        if picture.shape[2] == 4:
            alpha = picture[..., 3:] / 255
            colours = restyled(rng, colours, picture[..., 3]) * alpha + background(rng, picture.shape[:2]) * (1 - alpha)
        height, width = picture.shape[:2]
        return self.framed(rng, np.ascontiguousarray(colours), (0, 0, width, height), np.full((JOINTS, 2), np.nan))

    def framed(self, rng, picture, box, joints):
        """The figure somewhere in the picture that the network sees, narrowed or widened, turned, mirrored, or cut off."""
        left, top, right, bottom = box
        side = max(right - left, bottom - top) * rng.uniform(0.95, 1.9)
        narrow = rng.uniform(0.75, 1.8)
        if rng.random() < 0.15:
            bottom = top + (bottom - top) * rng.uniform(0.45, 0.9)
            side = max(right - left, bottom - top)
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        middle += side * np.array([rng.uniform(-0.12, 0.12), rng.uniform(-0.12, 0.12)])
        angle = np.radians(rng.gauss(0, 10))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.diag([SIDE / (side * narrow), SIDE / side]) @ turn
        mirror = rng.random() < 0.5
        if mirror:
            matrix = np.diag([-1.0, 1.0]) @ matrix
        offset = SIDE / 2 - matrix @ middle
        affine = np.float32(np.concatenate([matrix, offset[:, None]], 1))
        scale = np.sqrt(abs(np.linalg.det(matrix)))
        if scale < 0.7:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
        border = [0.0] * 3 if rng.random() < 0.3 else picture[0, 0].tolist()
        picture = cv2.warpAffine(picture, affine, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=border)
        if rng.random() < 0.3:
            picture = picture + np.float32(np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 10), picture.shape))
        joints = joints @ matrix.T + offset
        if mirror:
            joints = joints[MIRRORED]
        joints[((joints < 0) | (joints >= SIDE)).any(1)] = np.nan
        return np.float32(np.clip(picture, 0, 255)).transpose(2, 0, 1), np.float32(joints)


def losses(maps, teacher, joints):
    """The heads beside the truth where it is known, else beside what the network said before."""
    known = ~torch.isnan(joints[..., 0])
    labelled = known.any(1)
    result = {}
    told = (~labelled).float().mean()
    if told > 0:
        for name in ("center", "heatmap"):
            target = torch.sigmoid(teacher[name][~labelled])
            error = functional.binary_cross_entropy_with_logits(maps[name][~labelled], target, reduction="none")
            floor = functional.binary_cross_entropy(target, target, reduction="none")
            result[f"{name}-before"] = (error - floor).sum((2, 3)).mean() * told
        for name in ("regress", "offset"):
            weight = torch.sigmoid(teacher["center" if name == "regress" else "heatmap"][~labelled])
            weight = weight if name == "regress" else weight.repeat_interleave(2, 1)
            error = (maps[name][~labelled] - teacher[name][~labelled]).abs() * weight
            result[f"{name}-before"] = 0.05 * error.sum((2, 3)).mean() * told
    if not labelled.any():
        return result
    joints, known = joints[labelled] / SIDE * CELLS, known[labelled]
    places = torch.nan_to_num(joints, nan=-99.0)
    cells = torch.arange(CELLS) + 0.5
    square = (cells[None, None, None, :] - places[..., 0, None, None]) ** 2 + (cells[None, None, :, None] - places[..., 1, None, None]) ** 2
    low = torch.where(known[..., None], places, torch.full_like(places, 1e9)).amin(1)
    high = torch.where(known[..., None], places, torch.full_like(places, -1e9)).amax(1)
    spread = ((high - low).amax(1) * 0.03).clamp(1.0, 2.2)[:, None, None, None]
    target = torch.exp(-square / (2 * spread**2))
    result["heatmap"] = focal(maps["heatmap"][labelled], target) / known.sum()
    # The network takes the middle of what is seen for a person's centre.
    middle = (low + high) / 2
    near = ((cells[None, None, :] - middle[:, 0, None, None]) ** 2 + (cells[None, :, None] - middle[:, 1, None, None]) ** 2)[:, None]
    result["center"] = focal(maps["center"][labelled], torch.exp(-near / (2 * spread**2))) / len(middle)
    result["regress"] = 0.05 * regression(maps["regress"][labelled], middle[:, None].expand(-1, JOINTS, -1), places, known)
    result["offset"] = 0.5 * regression(maps["offset"][labelled], places, places, known)
    return result


def focal(logits, target):
    """Of CenterNet (arXiv 1904.07850, equation 1)."""
    share = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = target > 0.96
    hit = -((1 - share) ** 2) * torch.log(share)
    miss = -((1 - target) ** 4) * share**2 * torch.log(1 - share)
    return torch.where(peak, hit, miss).sum()


def regression(map, at, to, known):
    """How far pairs (y, x), read in the cells around `at`, are from leading to `to`, in cells."""
    batch, _, height, width = map.shape
    pairs = map.reshape(batch, JOINTS, 2, height, width)
    total, count = 0.0, 0
    rows, columns = torch.arange(batch)[:, None], torch.arange(JOINTS)[None, :]
    for down, across in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)):
        column = (at[..., 0].floor().long() + across).clamp(0, width - 1)
        row = (at[..., 1].floor().long() + down).clamp(0, height - 1)
        found = pairs[rows, columns, :, row, column]
        wanted = torch.stack([to[..., 1] - row, to[..., 0] - column], -1)
        total = total + ((found - wanted).abs().sum(-1) * known).sum()
        count += known.sum()
    return total / count


def read_puppets(folder):
    puppets = []
    for line in (Path(folder) / "metadata.jsonl").open():
        entry = json.loads(line)
        joints = np.array(entry["keypoints"], float).reshape(18, -1)[COCO, :2]
        puppets.append((Path(folder) / entry["file_name"], joints))
    return puppets


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("puppets", type=Path)
    parser.add_argument("--unlabelled", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("drawn.safetensors"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    start = network.from_file(safetensors.torch.load_file(Path(__file__).parent / "thunder.safetensors"))
    teacher, student = network.MoveNet(), network.MoveNet()
    for model in (teacher, student):
        model.load_state_dict(start)
        model.to(memory_format=torch.channels_last)
    teacher.requires_grad_(False)
    for name, weight in student.named_parameters():
        weight.requires_grad_(not name.startswith(tuple(FROZEN)))
    trained = {name: weight for name, weight in student.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=options.rate, weight_decay=1e-4)
    averaged = {name: weight.detach().clone() for name, weight in trained.items()}
    step, state_file = 0, options.out.with_suffix(".state.pt")
    if state_file.exists():
        state = torch.load(state_file)
        step, averaged = state["step"], state["averaged"]
        student.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    suffixes = {".png", ".jpg"}
    unlabelled = [path for folder in options.unlabelled for path in sorted(folder.rglob("*")) if path.suffix in suffixes]
    pictures = Pictures(read_puppets(options.puppets), unlabelled, 0.25, options.seed + step)
    loader = iter(DataLoader(pictures, options.batch, num_workers=1, prefetch_factor=4))
    began = saved = time.time()
    means = {}
    while True:
        passed = (time.time() - began) / 60 / options.minutes
        if passed >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 50, max(0.02, 2 * (1 - passed)))
        batch, joints = next(loader)
        batch = batch.contiguous(memory_format=torch.channels_last)
        other = torch.isnan(joints[..., 0]).all(1)
        maps = student(batch)
        said = {}
        if other.any():
            with torch.no_grad():
                said = teacher(batch[other])
            said = {name: torch.zeros_like(maps[name]).index_copy(0, other.nonzero()[:, 0], map) for name, map in said.items()}
        parts = losses(maps, said, joints)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 5.0)
        optimizer.step()
        step += 1
        keep = min(0.995, (1 + step) / (10 + step))
        for name, weight in trained.items():
            averaged[name].lerp_(weight.detach(), 1 - keep)
        for name, value in parts.items():
            means[name] = 0.98 * means.get(name, value.item()) + 0.02 * value.item()
        if step % 25 == 0:
            print(step, f"{(time.time() - began) / 60:.1f} min", *(f"{name} {value:.3f}" for name, value in means.items()), flush=True)
        if time.time() - saved > 240:
            save(options.out, state_file, student, averaged, optimizer, step)
            saved = time.time()
    save(options.out, state_file, student, averaged, optimizer, step)


def save(out, state_file, student, averaged, optimizer, step):
    weights = {**student.state_dict(), **averaged}
    safetensors.torch.save_file(network.to_file(weights), out)
    torch.save({"step": step, "averaged": averaged, "model": student.state_dict(), "optimizer": optimizer.state_dict()}, state_file)


if __name__ == "__main__":
    main()
