"""Several processes that train one network together, each on its own part of every batch, as `torchrun` starts them.

On a processor, two processes of one thread each do more than one process of two: the operations are small.
"""

import contextlib
import os

import torch
import torch.distributed as distributed
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


def start() -> None:
    """Joins the other processes, if there are any."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def count() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def place() -> int:
    """Number of this process, from 0; only the first one writes files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wait() -> None:
    """Until all processes are here."""
    if count() > 1:
        distributed.barrier()


@contextlib.contextmanager
def first_alone():
    """Within this, the first process is alone; the others follow when it is done."""
    if place() > 0:
        wait()
    yield
    if place() == 0:
        wait()


def agreed(value: float, where: torch.device) -> float:
    """What the first process says."""
    if count() == 1:
        return value
    told = torch.tensor(value, dtype=torch.float64, device=where)
    distributed.broadcast(told, 0)
    return float(told)


def add_up(tensors: list[torch.Tensor]) -> None:
    """Replaces each tensor by its sum over all processes."""
    if count() == 1:
        return
    flat = _flatten_dense_tensors(tensors)
    distributed.all_reduce(flat)
    for tensor, value in zip(tensors, _unflatten_dense_tensors(flat, tensors)):
        tensor.copy_(value)
