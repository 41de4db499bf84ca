"""Marks the joints of drawn figures, for train_drawn.py: joints.json beside the drawings.

    python mark.py DRAWINGS

Thunder and drawn.safetensors look at each drawing (PNG, transparent around the figure) 8 times, as src/detect/vote.rs does: larger,
narrower, mirrored. Each finds where its votes are densest; joints on which both agree are kept, the others are null. One view of a
figure is often wrong where many are right together, and this is what the network then learns to see at once.
Needs torch 2.15, safetensors, opencv-python-headless, numpy.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch

import network

SIDE, CELLS = 256, 64
HEIGHTS, WIDTHS = [1.1, 1.35], [1.0, 1.4]
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
NEAR = 0.05
# Both networks have to agree to so many figures' sizes, and to be so sure.
AGREED, SURE = 0.06, 0.02


def views(picture):
    """The views, (8, 3, side, side), and for each the matrix from its pixels to the picture's and whether it is mirrored."""
    colours = picture[..., 2::-1].astype(np.float32)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.float32) / 255
        colours = colours * alpha + 255 * (1 - alpha)
    height, width = picture.shape[:2]
    figure, middle = max(width, height), np.array([width / 2, height / 2])
    shown, matrices = [], []
    for tall in HEIGHTS:
        for wide in WIDTHS:
            for mirror in (False, True):
                scale = np.diag([SIDE / (figure * tall * wide) * (-1 if mirror else 1), SIDE / (figure * tall)])
                offset = SIDE / 2 - scale @ middle
                blurred = cv2.GaussianBlur(colours, (0, 0), 0.4 / scale[1, 1]) if scale[1, 1] < 0.7 else colours
                affine = np.float32(np.concatenate([scale, offset[:, None]], 1))
                shown.append(cv2.warpAffine(blurred, affine, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255)))
                matrices.append((np.linalg.inv(scale), offset, mirror))
    return torch.from_numpy(np.stack(shown).transpose(0, 3, 1, 2)), matrices, figure


def decoded(maps):
    """Joints (views, 17, 2) in pixels of the views and their scores (views, 17), as src/detect/movenet/decode.rs."""
    scores = {name: torch.sigmoid(map.float()) for name, map in maps.items() if name in ("center", "heatmap")}
    maps = {name: map.numpy() for name, map in ({name: map.float() for name, map in maps.items()} | scores).items()}
    rows, columns = np.mgrid[0:CELLS, 0:CELLS].astype(np.float32)
    away = np.hypot(rows - CELLS / 2, columns - CELLS / 2)
    joints, scores = [], []
    for center, heatmap, regress, offset in zip(*(maps[name] for name in ("center", "heatmap", "regress", "offset"))):
        row, column = divmod(int((center[0] / (away + 1.8)).argmax()), CELLS)
        places, sure = [], []
        for joint in range(17):
            y, x = row + regress[2 * joint, row, column], column + regress[2 * joint + 1, row, column]
            heat = heatmap[joint]
            down, across = divmod(int((heat / (np.hypot(rows - y, columns - x) + 1.8)).argmax()), CELLS)
            y, x = down + offset[2 * joint, down, across], across + offset[2 * joint + 1, down, across]
            places.append([x * SIDE / CELLS, y * SIDE / CELLS])
            sure.append(heat[down, across])
        joints.append(places)
        scores.append(sure)
    return np.array(joints), np.array(scores)


def voted(model, shown, matrices, figure):
    """Places (17, 2) in the picture and how sure they are."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        joints, scores = decoded(model(shown.contiguous(memory_format=torch.channels_last)))
    for index, (back, offset, mirror) in enumerate(matrices):
        joints[index] = (joints[index] - offset) @ back.T
        if mirror:
            joints[index], scores[index] = joints[index][MIRRORED], scores[index][MIRRORED]
    places, sure = [], []
    for votes, weights in zip(joints.transpose(1, 0, 2), scores.T):
        share = np.exp(-((votes[:, None] - votes[None]) ** 2).sum(-1) / (NEAR * figure) ** 2)
        densest = (share * weights**2).sum(1).argmax()
        counted = share[densest] * weights**2
        places.append((votes * counted[:, None]).sum(0) / counted.sum())
        sure.append((share[densest] * weights).mean())
    return np.array(places), np.array(sure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=Path)
    options = parser.parse_args()
    models = []
    for name in ("thunder", "drawn"):
        model = network.MoveNet()
        model.load_state_dict(network.from_file(safetensors.torch.load_file(Path(__file__).parent / f"{name}.safetensors")))
        models.append(model.eval().to(memory_format=torch.channels_last))
    marked = {}
    for path in sorted(options.drawings.glob("*.png")):
        shown, matrices, figure = views(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        (one, sure), (other, other_sure) = (voted(model, shown, matrices, figure) for model in models)
        agreed = (np.hypot(*(one - other).T) < AGREED * figure) & (np.minimum(sure, other_sure) > SURE)
        middle = (one * sure[:, None] + other * other_sure[:, None]) / (sure + other_sure)[:, None]
        marked[path.name] = [place.round(1).tolist() if known else None for place, known in zip(middle, agreed)]
    (options.drawings / "joints.json").write_text(json.dumps(marked))
    known = [sum(place is not None for place in places) for places in marked.values()]
    print(f"{len(marked)} drawings, {sum(known) / max(1, len(known)):.1f} joints each")


if __name__ == "__main__":
    main()
