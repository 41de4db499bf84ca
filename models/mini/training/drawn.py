"""Previous frames as they are in use: drawn by the network itself, with its mistakes.

A network that only ever sees true neighbouring moments believes whatever its own last frame shows. So the second
references of some batches are what it draws of them at the time. And the moments beside them are learnt as a clip would
show them: a part of what was drawn differently from the truth stays different, where it was, so that errors do not
flicker.
"""

import torch

from . import batches, samples
from .data import Puppets


def replace(networks, data: Puppets, batch: batches.Batch, parts: tuple, settings: dict) -> tuple:
    """(latents, noise) of a batch, from its (latents, noise, context, control): second references are drawn, and the
    pictures that look at them have the noise they were drawn from, as all frames of a clip do."""
    clean, noise, context, control = parts
    group = batch.groups[-1]
    shared, second = group.sources
    pictures = torch.arange(group.first, group.last, device=clean.device)
    seconds = second.rows.unique()
    each = len(pictures) // len(seconds)
    references = shared.rows[::each]
    rows = torch.cat([references, seconds, seconds])
    groups = [samples.reference_group(shared.masks[::each], settings["weight"], 2 * len(seconds))]
    start = torch.randn_like(noise[seconds])
    known = (clean[references], noise[references], context[rows], control[rows])
    result = samples.sample(networks, start, *known, groups, settings)
    beside = data.moments[batch.rows[group.first : group.last]] == data.moments[batch.rows[second.rows.cpu()]]
    carried = settings["carried"] * torch.from_numpy(beside).to(clean)[:, None, None, None]
    error = (result - clean[seconds]).repeat_interleave(each, 0)
    clean, noise = clean.clone(), noise.clone()
    clean[pictures] += carried * error
    clean[seconds] = result
    noise[pictures] = start.repeat_interleave(each, 0)
    return clean, noise
