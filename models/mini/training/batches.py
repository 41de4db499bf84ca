"""What one step of diffusion training sees: characters, their references, times, captions and weights.

A batch has three kinds of items, each one character. `alone`: pictures without a reference. `one`: pictures that share
one reference. `two`: pictures that share a reference and a second one of weight 1, which is a neighbouring frame of a
clip. The rows of a batch are all references, all second references, then the pictures of `alone`, `one` and `two`.
"""

from dataclasses import dataclass

import numpy as np
import torch

from .data import Puppets
from .subject_attention import Group, Source


@dataclass
class Batch:
    """Rows of the data and what goes with each; references come first, then `pictures` are those that are learnt."""

    rows: np.ndarray
    times: np.ndarray  # time steps
    captions: list[str]
    controlled: np.ndarray  # whether ControlNet has a say
    drafted: np.ndarray  # whether ControlNet is shown a draft
    begun: np.ndarray  # how much of what noise is laid on is the draft's latent, not the truth's
    references: int  # rows before the pictures
    groups: list[Group]


def draw(data: Puppets, settings: dict, step: int, where: torch.device) -> Batch:
    """The batch of one step."""
    kinds = settings["items"]
    count = sum(kinds.values())
    groups = np.random.choice(len(data.training), count, replace=False)
    times = spread_times(count, settings["times"])
    drafted, begun = draft_use(count, times, settings["drafts"])
    neighbours = settings["neighbouring_references"]
    share = neighbours["share"] if step < neighbours["steps"] else 0
    items = [Item(data, data.training[group], time, share) for group, time in zip(groups, times)]
    alone, rest = items[: kinds["alone"]], items[kinds["alone"] :]
    one, two = rest[: kinds["one"]], rest[kinds["one"] :]
    sizes = settings["pictures"]
    references = [item.reference for item in rest]
    seconds = [item.second for item in two]
    pictures = [row for item in alone + one for row in item.pictures(item.reference, sizes["one"])]
    pictures += [row for item in two for row in item.pictures(item.second, sizes["two"])]
    rows = np.array(references + seconds + pictures)
    counts = [sizes["one"]] * len(alone + one) + [sizes["two"]] * len(two)
    earlier = np.array([reference_time(item.time) for item in rest])
    all_times = np.concatenate([earlier, earlier[len(one) :], np.repeat(times, counts)])
    first = len(references) + len(seconds)

    def of_pictures(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(first, values.dtype), np.repeat(values, counts)])

    with_none = first + sizes["one"] * len(alone)
    return Batch(
        rows=rows,
        times=all_times,
        captions=captions(data, rows, first, with_none),
        controlled=np.random.rand(len(rows)) >= settings["control_dropped"],
        drafted=of_pictures(drafted),
        begun=of_pictures(begun),
        references=first,
        groups=attention_groups(data, rows, (len(one), len(two)), sizes, with_none, where),
    )


class Item:
    """One character: which of its pictures is which."""

    def __init__(self, data: Puppets, rows: np.ndarray, time: int, neighbours: float):
        self.data, self.time = data, time
        # The first picture of a character is drawn to be a reference. Others, which have neighbouring moments, serve too
        # at first: how to look at a reference is easiest to learn where there is little between it and the picture. But
        # they have the picture's expression, so that copying it would be right more often than reading the text.
        self.reference = np.random.choice(rows) if np.random.rand() < neighbours else rows[0]
        self.others = np.random.permutation(rows[rows != self.reference])
        self.second = self.others[0]

    def pictures(self, beside: int, count: int) -> list[int]:
        """Rows to learn: moments before or after the row `beside` first, then others."""
        rows = [row for row in self.others if row != beside]
        rows.sort(key=lambda row: self.data.moments[row] != self.data.moments[beside])
        return [rows[index % len(rows)] for index in range(count)]


def spread_times(count: int, steps: int) -> np.ndarray:
    """Time steps spread over the schedule, in random order; noisy ones, where colours are decided, come more often."""
    places = (np.random.permutation(count) + np.random.rand(count)) / count
    return np.minimum(((1 - (1 - places) ** 1.6) * steps).astype(int), steps - 1)


def draft_use(count: int, times: np.ndarray, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Which items are shown drafts, and how much of a draft is below the noise: all of it where a repair begins, a part of it after a
    step or two. Those are seen at the times at which repairs are."""
    drafted = np.random.rand(count) < settings["shown"]
    repaired = drafted & (np.random.rand(count) < settings["begun"])
    earliest, latest = settings["times"]
    times[repaired] = np.random.randint(earliest, latest, count)[repaired]
    begun = np.where(np.random.rand(count) < 0.6, 1.0, np.random.rand(count))
    return drafted, np.where(repaired, begun, 0.0)


def reference_time(time: int) -> int:
    """A reference is noised less than the picture: mostly by 600, as samples are drawn, else by anything up to that."""
    return max(0, time - (600 if np.random.rand() < 0.6 else np.random.randint(600)))


def captions(data: Puppets, rows: np.ndarray, pictures: int, with_references: int) -> list[str]:
    """Mostly expression and scene only, so that the reference alone tells colours; pictures without one need more."""
    texts = []
    for place, row in enumerate(rows):
        full, short = (0.0, 0.85) if place < pictures else (0.15, 0.75)
        if pictures <= place < with_references:
            full, short = 0.5, 0.4
        chance = np.random.rand()
        name = "caption" if chance < full else "scene_caption"
        texts.append(data.rows[row][name] if chance < full + short else "")
    return texts


def weights(count: int, each: int) -> np.ndarray:
    """Weights of references, 10 for half of them, else 1 to 30; one for each of the `each` pictures that share it."""
    drawn = np.where(np.random.rand(count) < 0.5, 10.0, 30 ** np.random.rand(count))
    return np.repeat(drawn, each)


def masks(data: Puppets, rows: np.ndarray, where: torch.device) -> torch.Tensor:
    """The figures of `rows`, (n, 1, height, width); half of them say that the whole picture counts."""
    whole = np.random.rand(len(rows), 1, 1) < 0.5
    values = np.where(whole, np.uint8(255), data.masks[rows])
    return torch.from_numpy(values).to(where)[:, None].float() / 255


def attention_groups(data: Puppets, rows, counts, sizes: dict, first: int, where: torch.device) -> list[Group]:
    """Who attends to whom; the pictures with a reference begin at row `first`."""
    one, two = counts
    seen = masks(data, rows[: one + 2 * two], where)

    def source(start: int, count: int, each: int, values: np.ndarray) -> Source:
        places = torch.arange(start, start + count, device=where).repeat_interleave(each)
        return Source(places, torch.from_numpy(values).to(where).float(), seen[places])

    middle = first + one * sizes["one"]
    last = middle + two * sizes["two"]
    shared, previous = weights(two, sizes["two"]), np.ones(two * sizes["two"])
    groups = [Group(first, middle, [source(0, one, sizes["one"], weights(one, sizes["one"]))])]
    both = [source(one, two, sizes["two"], shared), source(one + two, two, sizes["two"], previous)]
    return groups + [Group(middle, last, both)]
