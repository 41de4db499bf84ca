"""MoveNet in PyTorch, for training: the layers of src/detect/movenet/network.rs under the same names."""

import torch
import torch.nn.functional as functional
from torch import nn

BLOCKS = [(24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1),
          (160, 2), (160, 1), (160, 1), (320, 1)]
TAKEN = {4: 2, 8: 5, 16: 9}
PYRAMID = {32: 64, 16: 64, 8: 32, 4: 24}
JOINTS = 17


def rounded(channels, width):
    """MobileNet's rule: a multiple of 8, not more than a tenth below."""
    result = max(8, int((channels * width + 4) / 8) * 8)
    return result + 8 if result < 0.9 * channels * width else result


def same(picture, stride):
    """TensorFlow's SAME for kernels of 3 and even sides."""
    return functional.pad(picture, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


class Depthwise(nn.Module):
    def __init__(self, channels, stride=1, plain=False):
        super().__init__()
        self.stride, self.plain = stride, plain
        self.weight = nn.Parameter(torch.zeros(channels, 1, 3, 3))
        if not plain:
            self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, map):
        bias = None if self.plain else self.bias
        map = functional.conv2d(same(map, self.stride), self.weight, bias, self.stride, groups=map.shape[1])
        return map if self.plain else functional.relu6(map)


class Pointwise(nn.Module):
    def __init__(self, inputs, outputs, activation=None):
        super().__init__()
        self.activation = activation or (lambda map: map)
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, map):
        return self.activation(functional.conv2d(map, self.weight, self.bias))


class Stem(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, 3, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, picture):
        return functional.relu6(functional.conv2d(same(picture, 2), self.weight, self.bias, 2))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, expand=True):
        super().__init__()
        inner = 6 * inputs if expand else inputs
        self.expand = Pointwise(inputs, inner, functional.relu6) if expand else None
        self.depthwise = Depthwise(inner, stride)
        self.project = Pointwise(inner, outputs)
        self.residual = expand and stride == 1 and inputs == outputs

    def forward(self, map):
        result = self.project(self.depthwise(self.expand(map) if self.expand else map))
        return map + result if self.residual else result


class Separable(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.depthwise = Depthwise(inputs, plain=True)
        self.pointwise = Pointwise(inputs, outputs, functional.relu)

    def forward(self, map):
        return self.pointwise(self.depthwise(map))


class Head(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.depthwise = Depthwise(PYRAMID[4], plain=True)
        self.hidden = Pointwise(PYRAMID[4], 96, functional.relu)
        self.output = Pointwise(96, outputs)

    def forward(self, map):
        return self.output(self.hidden(self.depthwise(map)))


class MoveNet(nn.Module):
    """Pictures (batch, 3, side, side), values 0 to 255, to the maps of the heads, (batch, channels, side / 4, side / 4)."""

    def __init__(self, width=1.75):
        super().__init__()
        first = rounded(16, width)
        self.stem = Stem(rounded(32, width))
        blocks, inputs = [Block(rounded(32, width), first, 1, expand=False)], first
        for channels, stride in BLOCKS:
            blocks.append(Block(inputs, rounded(channels, width), stride))
            inputs = rounded(channels, width)
        self.blocks = nn.ModuleList(blocks)
        self.final = Pointwise(inputs, 1280, functional.relu6)
        taken = {stride: rounded(BLOCKS[block - 1][0], width) for stride, block in TAKEN.items()}
        laterals = {32: 1280, **taken}
        self.lateral = nn.ModuleDict({str(at): Pointwise(inputs, PYRAMID[at]) for at, inputs in laterals.items()})
        self.merge = nn.ModuleDict({"16": Separable(PYRAMID[16], PYRAMID[8]), "8": Separable(PYRAMID[8], PYRAMID[4]),
                                    "4": Separable(PYRAMID[4], PYRAMID[4])})
        self.center, self.heatmap = Head(1), Head(JOINTS)
        self.regress, self.offset = Head(2 * JOINTS), Head(2 * JOINTS)

    def forward(self, pictures):
        map = self.stem(pictures * 0.007843018 - 1)
        kept = {}
        for index, block in enumerate(self.blocks):
            map = block(map)
            kept[index] = map
        map = self.lateral["32"](self.final(map))
        for stride in (16, 8, 4):
            larger = functional.interpolate(map, scale_factor=2, mode="bilinear", align_corners=False)
            map = self.merge[str(stride)](larger + self.lateral[str(stride)](kept[TAKEN[stride]]))
        return {name: getattr(self, name)(map) for name in ("center", "heatmap", "regress", "offset")}


def from_file(tensors):
    """Weights as the files have them, pixels by channels, to those of the modules."""
    def shaped(name, tensor):
        tensor = tensor.float()
        if tensor.ndim == 1:
            return tensor
        if name.startswith("stem"):
            return tensor.reshape(3, 3, 3, -1).permute(3, 2, 0, 1)
        if "depthwise" in name:
            return tensor.reshape(3, 3, 1, -1).permute(3, 2, 0, 1)
        return tensor.t()[:, :, None, None]
    return {name: shaped(name, tensor).contiguous() for name, tensor in tensors.items()}


def to_file(tensors):
    """The other way, in 16 bits."""
    def shaped(name, tensor):
        if tensor.ndim == 1:
            return tensor
        if name.startswith("stem") or "depthwise" in name:
            return tensor.permute(2, 3, 1, 0).reshape(-1, tensor.shape[0])
        return tensor[:, :, 0, 0].t()
    return {name: shaped(name, tensor).half().contiguous() for name, tensor in tensors.items()}
