"""What every stage shares: how long it runs, its learning rate, its averaged weights, its list of losses."""

import contextlib
import csv
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import checkpoint, workers


@dataclass
class Limits:
    """How long one run of a stage may take, in minutes; None is until the configuration's steps are done."""

    minutes: float | None = None
    cooldown_minutes: float = 0.0


@dataclass
class Schedule:
    """Learning rate: warm-up, constant, then linearly down to zero, by steps or by the clock, whichever ends first.

    A file `cooldown` in the stage's folder, holding a number of minutes, ends a run that is under way with a cooldown.
    """

    settings: dict
    folder: Path
    limits: Limits
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        minutes = self.limits.minutes
        self.end = None if minutes is None else self.began + 60 * minutes
        self.cooldown = 60 * self.limits.cooldown_minutes

    def remaining(self) -> float:
        """Seconds that this run still has."""
        request = self.folder / "cooldown"
        if request.exists():
            self.cooldown = 60 * float(request.read_text())
            self.end = time.monotonic() + self.cooldown
            request.unlink()
        return float("inf") if self.end is None else self.end - time.monotonic()

    def finished(self, step: int) -> bool:
        """Whether to stop before this step."""
        return workers.agreed(step >= self.settings["steps"] or self.remaining() <= 0, device()) > 0

    def rate(self, step: int) -> float:
        """Learning rate of this step."""
        warm = min(1.0, (step + 1) / self.settings["warmup_steps"])
        by_steps = min(1.0, (self.settings["steps"] - step) / max(1, self.settings["cooldown_steps"]))
        by_clock = min(1.0, max(0.0, self.remaining() / self.cooldown)) if self.cooldown > 0 else 1.0
        return workers.agreed(self.settings["rate"] * min(warm, by_steps, by_clock), device())


class Average:
    """Exponential moving average of the parameters, which is what is exported."""

    def __init__(self, modules: list[torch.nn.Module], decay: float):
        self.parameters = [parameter for module in modules for parameter in module.parameters()]
        self.values = [parameter.detach().clone() for parameter in self.parameters]
        self.decay = decay

    def update(self, step: int) -> None:
        """Takes in the parameters after `step`; early steps are forgotten sooner."""
        decay = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(self.values, [parameter.detach() for parameter in self.parameters], 1 - decay)

    @contextlib.contextmanager
    def applied(self):
        """Within this, the modules have the averaged weights."""
        current = [parameter.detach().clone() for parameter in self.parameters]
        self.set_parameters(self.values)
        try:
            yield
        finally:
            self.set_parameters(current)

    def load(self, values: list[torch.Tensor]) -> None:
        """Takes up the averages of a checkpoint."""
        for own, value in zip(self.values, values, strict=True):
            own.copy_(value)

    def set_parameters(self, values: list[torch.Tensor]) -> None:
        """Copies `values` into the modules."""
        for parameter, value in zip(self.parameters, values):
            parameter.data.copy_(value)


class Saved:
    """A stage's checkpoint: its networks, their averages, the optimizer and the step."""

    def __init__(self, folder: Path, networks: dict, optimizer: torch.optim.Optimizer, average: Average):
        self.path, self.folder = folder / "checkpoint.pt", folder
        self.networks, self.optimizer, self.average = networks, optimizer, average

    def restore(self) -> int:
        """Takes up the checkpoint, if any; the number of steps that are done."""
        state = checkpoint.load(self.path)
        if workers.place() > 0:
            # Every process draws pictures of its own.
            checkpoint.seed(1000 * (state["step"] if state else 0) + workers.place())
        if state is None:
            return 0
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load(state["average"])
        return state["step"]

    def store(self, step: int) -> None:
        """Writes the checkpoint."""
        state = {name: network.state_dict() for name, network in self.networks.items()}
        state |= {"optimizer": self.optimizer.state_dict(), "average": self.average.values}
        state |= {"step": step, "processes": workers.count()}
        checkpoint.save(self.path, state)


class Every:
    """Says, in the first process, when so many minutes have passed since it last said so."""

    def __init__(self, minutes: float):
        self.seconds, self.last = 60 * minutes, time.monotonic()

    def due(self) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if workers.place() > 0 or now - self.last < self.seconds:
            return False
        self.last = now
        return True


class Losses:
    """Averages of what a stage reports, one line every so many steps, as CSV and on the screen."""

    def __init__(self, path: Path, every: int = 50):
        self.path, self.every = path, every
        self.sums: dict[str, float] = {}
        self.count, self.since = 0, time.monotonic()

    def add(self, step: int, pictures: int, **values: torch.Tensor) -> None:
        """Takes in the values of one step that saw `pictures` pictures."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1
        if (step + 1) % self.every == 0:
            self.write(step + 1, pictures)

    def write(self, step: int, pictures: int) -> None:
        """Writes the averages since the last line."""
        if workers.place() > 0:
            return
        seconds = time.monotonic() - self.since
        line = {name: f"{value / self.count:.5f}" for name, value in self.sums.items()}
        line["per_second"] = f"{self.count * workers.count() * pictures / seconds:.1f}"
        append_csv(self.path, {"step": step, **line})
        print(step, *(f"{name} {value}" for name, value in line.items()), flush=True)
        self.sums, self.count, self.since = {}, 0, time.monotonic()


def append_csv(path: Path, line: dict) -> None:
    """Adds a line, and the names before the first one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, line)
        if first:
            writer.writeheader()
        writer.writerow(line)


def device() -> torch.device:
    """The GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bfloat16(where: torch.device) -> bool:
    """Whether products in bfloat16 are fast: not on processors that have no instructions for them."""
    return where.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def half(where: torch.device):
    """Mixed precision in bfloat16, where that is fast."""
    return torch.autocast(where.type, torch.bfloat16, enabled=has_bfloat16(where))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, parameters) -> None:
    """One step of the optimizer by the mean gradient of all processes, its length at most 1. A loss that is not a
    number ends the run: the last checkpoint is still good."""
    parameters = list(parameters)
    if not torch.isfinite(loss):
        raise SystemExit("the loss is not a number; go on from the last checkpoint with a lower rate")
    optimizer.zero_grad()
    (loss / workers.count()).backward()
    workers.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
