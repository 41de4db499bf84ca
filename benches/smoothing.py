"""Compares ways of taking the tremble out of poses: error, jitter and lag on the dances of poses/ with noise added.

    pip install numpy
    python benches/smoothing.py poses

Each dance is scaled to a body height of 1. Noise is normal; one joint in twenty trembles three times as much. `dreamtuner
pose smooth` (crates/pose/src/smooth.rs) does what the rows called "adaptive" do.
"""

import json
import sys
from pathlib import Path

import numpy as np

FRAME_RATE = 24


def load(path: Path) -> np.ndarray:
    """(frames, joints, 2) in body heights."""
    frames = [frame["people"][0]["pose_keypoints_2d"] for frame in json.loads(path.read_text())]
    points = np.array(frames).reshape(len(frames), -1, 3)[..., :2]
    return points / np.ptp(points[..., 1])


def rauch_tung_striebel(values: np.ndarray, variance: float, accelerations: np.ndarray) -> np.ndarray:
    """Positions and velocities, (frames, 2)."""
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    mean, covariance = np.array([values[0], 0.0]), np.diag([variance, 25 * accelerations[0]])
    filtered, predicted = [], []
    for frame, value in enumerate(values):
        if frame:
            mean = transition @ mean
            covariance = transition @ covariance @ transition.T
            covariance = covariance + accelerations[frame] * np.array([[0.25, 0.5], [0.5, 1.0]])
        predicted.append((mean, covariance))
        gain = covariance[:, 0] / (covariance[0, 0] + variance)
        mean, covariance = mean + gain * (value - mean[0]), covariance - np.outer(gain, covariance[0])
        filtered.append((mean, covariance))
    means = [mean for mean, _ in filtered]
    for frame in range(len(values) - 2, -1, -1):
        gain = filtered[frame][1] @ transition.T @ np.linalg.inv(predicted[frame + 1][1])
        means[frame] = means[frame] + gain @ (means[frame + 1] - predicted[frame + 1][0])
    return np.array(means)


def fixed(values: np.ndarray, deviation: float, acceleration: float) -> np.ndarray:
    """A smoother of one acceleration."""
    return rauch_tung_striebel(values, deviation**2, np.full(len(values), acceleration**2))[:, 0]


def adaptive(values: np.ndarray, deviation: float, least: float = 0.001, reach: int = 2) -> np.ndarray:
    """A smoother whose acceleration follows the motion around each frame."""
    accelerations = np.full(len(values), 0.01**2)
    window = np.ones(2 * reach + 1) / (2 * reach + 1)
    for _ in range(2):
        velocities = rauch_tung_striebel(values, deviation**2, accelerations)[:, 1]
        squares = np.pad(np.gradient(velocities) ** 2, reach, mode="edge")
        accelerations = np.maximum(least**2, np.convolve(squares, window, "valid"))
    return rauch_tung_striebel(values, deviation**2, accelerations)[:, 0]


def one_euro(values: np.ndarray, cutoff: float, beta: float) -> np.ndarray:
    """Casiez, Roussel and Vogel 2012."""

    def share(frequency: float) -> float:
        return 1 / (1 + FRAME_RATE / (2 * np.pi * frequency))

    value, speed, result = values[0], 0.0, [values[0]]
    for new in values[1:]:
        speed += share(1.0) * ((new - value) * FRAME_RATE - speed)
        value += share(cutoff + beta * abs(speed)) * (new - value)
        result.append(value)
    return np.array(result)


def jitter(points: np.ndarray) -> float:
    """Mean change of velocity."""
    return float(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean())


def lag(points: np.ndarray, truth: np.ndarray) -> float:
    """Frames by which `points` is late, to a tenth."""
    times = np.arange(len(truth))
    columns = [(points[:, joint, axis], truth[:, joint, axis]) for joint in range(truth.shape[1]) for axis in (0, 1)]

    def error(shift: float) -> float:
        return sum(((np.interp(times - shift, times, true) - found)[4:-4] ** 2).mean() for found, true in columns)

    return float(min(np.arange(-3, 3.01, 0.1), key=error))


def main() -> None:
    truths = [load(path) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    random = np.random.default_rng(0)
    print("| noise | method | error | jitter | lag in frames |\n| ---: | --- | ---: | ---: | ---: |")
    for deviation in (0.003, 0.006):
        spread = [1 + 2 * (random.random((*truth.shape[:2], 1)) < 0.05) for truth in truths]
        noisy = [truth + deviation * random.standard_normal(truth.shape) * wide for truth, wide in zip(truths, spread)]
        methods = {"none": lambda values: values, "adaptive": lambda values: adaptive(values, deviation)}
        for cutoff, beta in ((1, 2), (1.5, 5), (1, 20)):
            methods[f"One-Euro {cutoff}, {beta}"] = lambda values, c=cutoff, b=beta: one_euro(values, c, b)
        for acceleration in (0.001, 0.003, 0.012):
            methods[f"fixed {acceleration}"] = lambda values, a=acceleration: fixed(values, deviation, a)
        for name, method in methods.items():
            results = [np.apply_along_axis(method, 0, clip) for clip in noisy]
            errors = [np.sqrt(((result - truth) ** 2).mean()) for result, truth in zip(results, truths)]
            late = [lag(result, truth) for result, truth in zip(results[:3], truths[:3])]
            row = (f"{np.mean(errors):.5f}", f"{np.mean([jitter(result) for result in results]):.5f}", f"{np.mean(late):.2f}")
            print(f"| {deviation} | {name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
