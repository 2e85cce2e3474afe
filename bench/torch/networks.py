"""HRNet-W32, HRNetV2 for segmentation and Lite-HRNet-18 in PyTorch, with the published state-dict names: the peers of the benchmark.

Detectors are in detectors.py.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(i, o, k=1, s=1, groups=1):
    return [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]


class Residual(nn.Module):
    """Basic (two 3x3) or bottleneck (1x1, 3x3, 1x1 to 4 times the planes) residual block."""

    def __init__(self, inputs, planes, bottleneck=False):
        super().__init__()
        out = planes * 4 if bottleneck else planes
        sizes = [(planes, 1), (planes, 3), (out, 1)] if bottleneck else [(planes, 3), (out, 3)]
        self.depth, width = len(sizes), inputs
        for n, (o, k) in enumerate(sizes, 1):
            conv, bn = conv_bn(width, o, k)
            setattr(self, f"conv{n}", conv)
            setattr(self, f"bn{n}", bn)
            width = o
        self.downsample = nn.Sequential(*conv_bn(inputs, out)) if inputs != out else None

    def forward(self, x):
        y = x
        for n in range(1, self.depth + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            if n < self.depth:
                y = F.relu(y, inplace=True)
        return F.relu_(y + (self.downsample(x) if self.downsample else x))


class Exchange(nn.Module):
    """One exchange module: four basic blocks a branch, then every row the sum of all branches."""

    mode = "nearest"

    def __init__(self, widths, rows):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*[Residual(c, c) for _ in range(4)]) for c in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self.term(widths, i, j) for j in range(len(widths))) for i in range(rows)
        )

    @classmethod
    def term(cls, widths, i, j):
        if i == j:
            return None
        if j > i:
            return nn.Sequential(*conv_bn(widths[j], widths[i]), nn.Upsample(scale_factor=2 ** (j - i), mode=cls.mode))
        steps = []
        for k in range(i - j):
            last = k == i - j - 1
            layers = conv_bn(widths[j], widths[i] if last else widths[j], 3, 2)
            steps.append(nn.Sequential(*layers, *([] if last else [nn.ReLU(True)])))
        return nn.Sequential(*steps)

    def forward(self, xs):
        xs = [branch(x) for branch, x in zip(self.branches, xs)]
        rows = []
        for i, row in enumerate(self.fuse_layers):
            terms = [xs[j] if i == j else layer(xs[j]) for j, layer in enumerate(row)]
            rows.append(F.relu_(sum(terms[1:], terms[0])))
        return rows


class BilinearExchange(Exchange):
    """As segmentation has it."""

    mode = "bilinear"


class Body(nn.Module):
    """Stem and four stages of parallel branches."""

    def __init__(self, width, exchange, all_rows):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(3, 64, 3, 2)
        self.conv2, self.bn2 = conv_bn(64, 64, 3, 2)
        self.layer1 = nn.Sequential(*[Residual(64 if n == 0 else 256, 64, True) for n in range(4)])
        widths = [width * 2**b for b in range(4)]
        before = [256]
        for stage, modules in ((2, 1), (3, 4), (4, 3)):
            setattr(self, f"transition{stage - 1}", self.transition(before, widths[:stage]))
            rows = [1 if stage == 4 and m == modules - 1 and not all_rows else stage for m in range(modules)]
            setattr(self, f"stage{stage}", nn.Sequential(*[exchange(widths[:stage], r) for r in rows]))
            before = widths[:stage]

    @staticmethod
    def transition(before, after):
        def layer(i, out):
            if i < len(before):
                return None if before[i] == out else nn.Sequential(*conv_bn(before[i], out, 3), nn.ReLU(True))
            return nn.Sequential(nn.Sequential(*conv_bn(before[-1], out, 3, 2), nn.ReLU(True)))

        return nn.ModuleList(layer(i, out) for i, out in enumerate(after))

    def branches(self, x):
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        xs = [self.layer1(x)]
        for stage in (2, 3, 4):
            steps = getattr(self, f"transition{stage - 1}")
            xs = [xs[min(i, len(xs) - 1)] if step is None else step(xs[min(i, len(xs) - 1)]) for i, step in enumerate(steps)]
            xs = getattr(self, f"stage{stage}")(xs)
        return xs


class HRNet(Body):
    """HRNet for pose: 17 heatmaps at a quarter of the size."""

    def __init__(self, width=32):
        super().__init__(width, Exchange, False)
        self.final_layer = nn.Conv2d(width, 17, 1)

    def forward(self, x):
        return self.final_layer(self.branches(x)[0])


class HRNetV2(Body):
    """HRNetV2 for segmentation: logits of 19 classes at a quarter of the size."""

    def __init__(self, width):
        super().__init__(width, BilinearExchange, True)
        joined = 15 * width
        self.last_layer = nn.Sequential(
            nn.Conv2d(joined, joined, 1), nn.BatchNorm2d(joined), nn.ReLU(True), nn.Conv2d(joined, 19, 1)
        )

    def forward(self, x):
        xs = self.branches(x)
        size = xs[0].shape[-2:]
        resized = [xs[0]] + [F.interpolate(y, size=size, mode="bilinear", align_corners=False) for y in xs[1:]]
        return self.last_layer(torch.cat(resized, 1))


class ConvModule(nn.Module):
    def __init__(self, i, o, k=1, s=1, groups=1, act=True, bn=True):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=not bn)
        self.bn = nn.BatchNorm2d(o) if bn else None
        self.act = act

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x) if self.bn else x
        return F.relu_(x) if self.act else x


def shuffle(x):
    n, c, h, w = x.shape
    return x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def separable(i, o, s):
    return [*conv_bn(i, i, 3, s, i), *conv_bn(i, o)]


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = ConvModule(3, 32, 3, 2)
        self.branch1 = nn.Sequential(ConvModule(16, 16, 3, 2, 16, act=False), ConvModule(16, 16))
        self.expand_conv = ConvModule(16, 32)
        self.depthwise_conv = ConvModule(32, 32, 3, 2, 32, act=False)
        self.linear_conv = ConvModule(32, 16)

    def forward(self, x):
        x1, x2 = self.conv1(x).chunk(2, 1)
        return shuffle(torch.cat([self.branch1(x1), self.linear_conv(self.depthwise_conv(self.expand_conv(x2)))], 1))


class CrossResolutionWeighting(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.widths, total = widths, sum(widths)
        self.conv1 = ConvModule(total, total // 8)
        self.conv2 = ConvModule(total // 8, total, act=False)

    def forward(self, xs):
        pooled = [F.adaptive_avg_pool2d(x, xs[-1].shape[-2:]) for x in xs[:-1]] + [xs[-1]]
        weights = torch.sigmoid(self.conv2(self.conv1(torch.cat(pooled, 1)))).split(self.widths, 1)
        return [x * F.interpolate(w, size=x.shape[-2:], mode="nearest") for x, w in zip(xs, weights)]


class SpatialWeighting(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = ConvModule(channels, channels // 4, bn=False)
        self.conv2 = ConvModule(channels // 4, channels, act=False, bn=False)

    def forward(self, x):
        return x * torch.sigmoid(self.conv2(self.conv1(F.adaptive_avg_pool2d(x, 1))))


class Weighting(nn.Module):
    """Conditional channel weighting of all branches."""

    def __init__(self, widths):
        super().__init__()
        halves = [c // 2 for c in widths]
        self.cross_resolution_weighting = CrossResolutionWeighting(halves)
        self.depthwise_convs = nn.ModuleList(ConvModule(c, c, 3, 1, c, act=False) for c in halves)
        self.spatial_weighting = nn.ModuleList(SpatialWeighting(c) for c in halves)

    def forward(self, xs):
        halves = [x.chunk(2, 1) for x in xs]
        ys = self.cross_resolution_weighting([b for _, b in halves])
        ys = [s(d(y)) for y, d, s in zip(ys, self.depthwise_convs, self.spatial_weighting)]
        return [shuffle(torch.cat([a, y], 1)) for (a, _), y in zip(halves, ys)]


class LiteModule(nn.Module):
    """Two weighting blocks and the exchange as released: branch 0 counts twice and its fused map feeds the other rows.

    In training the layers of branch 0 run twice, as in the released code: their statistics move twice.
    """

    def __init__(self, widths):
        super().__init__()
        self.layers = nn.Sequential(Weighting(widths), Weighting(widths))
        n = range(len(widths))
        self.fuse_layers = nn.ModuleList(nn.ModuleList(self.term(widths, i, j) for j in n) for i in n)

    @staticmethod
    def term(widths, i, j):
        if i == j:
            return None
        if j > i:
            return nn.Sequential(*conv_bn(widths[j], widths[i]), nn.Upsample(scale_factor=2 ** (j - i), mode="nearest"))
        steps = []
        for k in range(i - j):
            last = k == i - j - 1
            layers = separable(widths[j], widths[i] if last else widths[j], 2)
            steps.append(nn.Sequential(*layers, *([] if last else [nn.ReLU(True)])))
        return nn.Sequential(*steps)

    def forward(self, xs):
        xs = list(self.layers(xs))
        rows = []
        for i, row in enumerate(self.fuse_layers):
            terms = [xs[j] if i == j else layer(xs[j]) for j, layer in enumerate(row)]
            again = row[0](xs[0]) if self.training and i > 0 else terms[0]
            y = sum(terms[1:], terms[0] + again)
            if i == 0:
                xs[0] = y
            rows.append(F.relu(y))
        return rows


class LiteBranches(nn.Module):
    """Stem and three stages of parallel branches."""

    widths = [40, 80, 160, 320]

    def __init__(self):
        super().__init__()
        self.stem = Stem()
        before = [32]
        for t, modules in enumerate((2, 4, 2)):
            after = self.widths[: t + 2]
            setattr(self, f"transition{t}", self.transition(before, after))
            setattr(self, f"stage{t}", nn.Sequential(*[LiteModule(after) for _ in range(modules)]))
            before = after

    @staticmethod
    def transition(before, after):
        def layer(i, out):
            if i < len(before):
                return None if before[i] == out else nn.Sequential(*separable(before[i], out, 1), nn.ReLU(True))
            return nn.Sequential(nn.Sequential(*separable(before[-1], out, 2), nn.ReLU(True)))

        return nn.ModuleList(layer(i, out) for i, out in enumerate(after))

    def branches(self, x):
        xs = [self.stem(x)]
        for t in range(3):
            steps = getattr(self, f"transition{t}")
            xs = [xs[min(i, len(xs) - 1)] if step is None else step(xs[min(i, len(xs) - 1)]) for i, step in enumerate(steps)]
            xs = getattr(self, f"stage{t}")(xs)
        return xs


class LiteBackbone(LiteBranches):
    """With the iterative head of the pose network."""

    def __init__(self):
        super().__init__()
        outs = [160, 80, 40, 40]
        projects = (
            nn.ModuleDict(
                {"depthwise_conv": ConvModule(c, c, 3, 1, c, act=False), "pointwise_conv": ConvModule(c, o)}
            )
            for c, o in zip(self.widths[::-1], outs)
        )
        self.head_layer = nn.ModuleDict({"projects": nn.ModuleList(projects)})

    def forward(self, x):
        y = None
        for x, project in zip(reversed(self.branches(x)), self.head_layer["projects"]):
            if y is not None:
                x = x + F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=True)
            y = project["pointwise_conv"](project["depthwise_conv"](x))
        return y


class LiteHRNet(nn.Module):
    """Lite-HRNet-18 for pose: 17 heatmaps at a quarter of the size."""

    def __init__(self):
        super().__init__()
        self.backbone = LiteBackbone()
        self.keypoint_head = nn.ModuleDict({"final_layer": nn.Conv2d(40, 17, 1)})

    def forward(self, x):
        return self.keypoint_head["final_layer"](self.backbone(x))


def detector(name):
    """Imported when it is asked for: the other networks do without torchvision."""
    import detectors

    return getattr(detectors, name)()


NETWORKS = {
    "hrnet-w32": HRNet,
    "lite-hrnet-18": LiteHRNet,
    "hrnetv2-w18": lambda: HRNetV2(18),
    "hrnetv2-w48": lambda: HRNetV2(48),
    "faster-rcnn-hrnetv2p-w18": lambda: detector("FasterRCNN"),
    "faster-rcnn-hrnetv2p-w18 outputs": lambda: detector("FasterRCNNOutputs"),
    "fcos-lite-hrnet-18": lambda: detector("FCOS"),
    "fcos-lite-hrnet-18 outputs": lambda: detector("FCOSOutputs"),
}


def read_state(network, folder):
    """Loads weights.json and weights.bin (float32, by state-dict name) of a folder; nothing may be left over or missing."""
    tensors = json.loads((Path(folder) / "weights.json").read_text())["tensors"]
    data = np.fromfile(Path(folder) / "weights.bin", dtype=np.float32)
    state = {
        name: torch.from_numpy(data[at : at + int(np.prod(shape))].reshape(shape).copy())
        for name, (at, shape) in tensors.items()
    }
    missing, unexpected = network.load_state_dict(state, strict=False)
    wrong = [name for name in missing if not name.endswith("num_batches_tracked")] + list(unexpected)
    if wrong:
        raise ValueError(f"state dicts differ: {wrong[:5]}")
