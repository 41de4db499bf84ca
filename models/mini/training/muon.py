"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum whose update of each matrix is brought
to singular values near one. Convolutions count as matrices of (outputs, inputs * height * width); AdamW has the rest."""

import torch

from . import run, workers

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrix, about, by Newton-Schulz iterations of degree five."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16() if run.has_bfloat16(matrix.device) else matrix
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()


def is_matrix(parameter: torch.Tensor) -> bool:
    """Whether Muon has it; what is narrower has too few directions for it."""
    return parameter.ndim >= 2 and min(parameter.flatten(1).shape) >= 16


class Muon(torch.optim.AdamW):
    """Muon for matrices, AdamW for the other parameters. The rate, set before every step, is AdamW's; matrices move by
    0.2 * sqrt(longer side) of it, which has the size of an update of AdamW (Liu et al. 2025, arXiv 2502.16982)."""

    def __init__(self, modules: list[torch.nn.Module], weight_decay: float, momentum: float = 0.95):
        parameters = [parameter for module in modules for parameter in module.parameters()]
        matrices = [parameter for parameter in parameters if is_matrix(parameter)]
        chosen = {id(parameter) for parameter in matrices}
        rest = [parameter for parameter in parameters if id(parameter) not in chosen]
        groups = [{"params": rest}, {"params": matrices}]
        super().__init__(groups, betas=(0.9, 0.99), weight_decay=weight_decay)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure=None):
        """One step of both."""
        group = self.param_groups.pop()
        try:
            super().step(closure)
        finally:
            self.param_groups.append(group)
        matrices = [parameter for parameter in group["params"] if parameter.grad is not None]
        momenta = [self.moved(parameter) for parameter in matrices]
        # Each process works out its share of the updates.
        updates = [
            update(momentum) if index % workers.count() == workers.place() else torch.zeros_like(momentum)
            for index, momentum in enumerate(momenta)
        ]
        workers.add_up(updates)
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, updates, alpha=-group["lr"])

    def moved(self, parameter: torch.Tensor) -> torch.Tensor:
        """Nesterov's momentum with the gradient of this step."""
        state = self.state[parameter]
        if "momentum" not in state:
            # AdamW looks for a step in every state that it takes up.
            state.update(step=torch.tensor(0.0), momentum=torch.zeros_like(parameter))
        state["momentum"].lerp_(parameter.grad, 1 - self.momentum)
        return parameter.grad.lerp(state["momentum"], self.momentum)


def update(momentum: torch.Tensor) -> torch.Tensor:
    """The direction in which a matrix moves, at a rate of 1."""
    matrix = momentum.flatten(1)
    return orthogonal(matrix).view(momentum.shape) * (0.2 * max(matrix.shape) ** 0.5)
