"""Faster R-CNN on HRNetV2p-W18 and FCOS on Lite-HRNet-18 in PyTorch and torchvision, for one picture, as src/models has them.

A detector gives D x 6: corners in pixels, score, class; the best first. `...Outputs` gives what its last layers say before anything is
suppressed, to be compared number by number.
"""

import math

import torch
from networks import Body, Exchange, LiteBranches
from torch import nn
from torch.nn import functional as F
from torchvision.ops import batched_nms, roi_align

CLASSES = 80
# src/models/region-network.ts: REGION_TEST, PROPOSAL_NMS, REGION_LEVELS, BOX_BINS; DETECTOR_TEST and PROPOSALS of detector-network.ts.
PROPOSALS, PROPOSAL_NMS, REGION_LEVELS, BOX_BINS = 1000, 0.7, 4, 7
MIN_SCORE, NMS, MOST = 0.05, 0.5, 100
# src/detection/box-coding.ts: STAGE_STDS[0], MOST_LOG_FACTOR; anchors.ts: ANCHORS.
BOX_STDS, MOST_LOG_FACTOR = (0.1, 0.1, 0.2, 0.2), math.log(1000 / 16)
ANCHOR_SCALE, ANCHOR_RATIOS = 8, (0.5, 1.0, 2.0)
# src/regions/pyramid-features.ts: FINEST. src/models/fcos-detections.ts: FIRST_STRIDE, PER_LEVEL.
FINEST, FIRST_STRIDE, PER_LEVEL = 56, 8, 1000


class PyramidNeck(nn.Module):
    """HRFPN: branches enlarged and joined, a 1x1 convolution, levels by average pooling, a 3x3 convolution each."""

    def __init__(self, inputs, channels, levels, stride):
        super().__init__()
        self.reduction_conv = nn.Sequential(nn.Conv2d(inputs, channels, 1))
        self.fpn_conv = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride, 1) for _ in range(levels))

    def forward(self, xs):
        enlarged = [F.interpolate(x, scale_factor=2**b, mode="bilinear", align_corners=False) for b, x in enumerate(xs[1:], 1)]
        y = self.reduction_conv(torch.cat([xs[0], *enlarged], 1))
        return [conv(F.avg_pool2d(y, 2**i) if i else y) for i, conv in enumerate(self.fpn_conv)]


def by_place(y):
    """1 x C x h x w -> (h*w) x C."""
    return y[0].flatten(1).t()


def corners_of_cells(level, stride):
    """(h*w) x 4: x, y, x, y of every cell, row by row."""
    y, x = (torch.arange(size, dtype=torch.float32) * stride for size in level.shape[-2:])
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y, x, y], -1).reshape(-1, 4)


def anchors_of(level, stride):
    """(h*w*A) x 4."""
    sides = [(stride * ANCHOR_SCALE / math.sqrt(r) / 2, stride * ANCHOR_SCALE * math.sqrt(r) / 2) for r in ANCHOR_RATIOS]
    base = torch.tensor([[-w, -h, w, h] for w, h in sides])
    return (corners_of_cells(level, stride)[:, None] + base).reshape(-1, 4)


def decode(boxes, differences, stds):
    """Boxes (... x 4) moved by differences of the same shape."""
    d = differences * differences.new_tensor(stds)
    size = boxes[..., 2:] - boxes[..., :2]
    middle = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + size * d[..., :2]
    half = size * d[..., 2:].clamp(-MOST_LOG_FACTOR, MOST_LOG_FACTOR).exp() * 0.5
    return torch.cat([middle - half, middle + half], -1)


def clip(boxes, picture):
    height, width = picture.shape[-2:]
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))


def with_area(boxes):
    return ((boxes[..., 2:] - boxes[..., :2]) > 0).all(-1)


def detections(boxes, scores, labels):
    """The best after suppression within each class."""
    kept = batched_nms(boxes, scores, labels, NMS)[:MOST]
    return torch.cat([boxes[kept], scores[kept, None], labels[kept, None].float()], 1)


class Recorded:
    """A detector that gives the outputs of its layers `recorded`, layer by layer, those of each call one after the other."""

    def forward(self, x):
        outputs = {name: [] for name in self.recorded}
        hooks = [
            self.get_submodule(name).register_forward_hook(lambda _, __, y, kept=kept: kept.append(y.flatten()))
            for name, kept in outputs.items()
        ]
        super().forward(x)
        for hook in hooks:
            hook.remove()
        return torch.cat([y for kept in outputs.values() for y in kept])


class RegionProposalHead(nn.Module):
    def __init__(self, channels):
        super().__init__()
        anchors = len(ANCHOR_RATIOS)
        self.rpn_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.rpn_cls = nn.Conv2d(channels, anchors, 1)
        self.rpn_reg = nn.Conv2d(channels, 4 * anchors, 1)

    def forward(self, levels):
        """For each level: logits P, differences P x 4."""
        seen = [F.relu_(self.rpn_conv(level)) for level in levels]
        return [(by_place(self.rpn_cls(y)).reshape(-1), by_place(self.rpn_reg(y)).reshape(-1, 4)) for y in seen]


class BoxHead(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.shared_fcs = nn.ModuleList([nn.Linear(channels * BOX_BINS**2, hidden), nn.Linear(hidden, hidden)])
        self.fc_cls = nn.Linear(hidden, CLASSES + 1)
        self.fc_reg = nn.Linear(hidden, 4 * CLASSES)

    def forward(self, x):
        """Logits R x (K+1), the last the background; differences R x K x 4."""
        y = x.flatten(1)
        for layer in self.shared_fcs:
            y = F.relu_(layer(y))
        return self.fc_cls(y), self.fc_reg(y).reshape(-1, CLASSES, 4)


def region_features(levels, regions):
    """Each region from the level that fits its size: R x C x bins x bins."""
    side = ((regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1])).sqrt() / FINEST
    own = sum((side > 2.0 ** (l + 1) - 1e-6).long() for l in range(REGION_LEVELS - 1))
    y = regions.new_zeros(len(regions), levels[0].shape[1], BOX_BINS, BOX_BINS)
    for l, level in enumerate(levels[:REGION_LEVELS]):
        at = torch.nonzero(own == l)[:, 0]
        y[at] = roi_align(level, [regions[at]], BOX_BINS, 1 / (4 * 2**l), sampling_ratio=0, aligned=True)
    return y


class FasterRCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Body(18, Exchange, True)
        self.neck = PyramidNeck(15 * 18, 256, 5, 1)
        self.rpn_head = RegionProposalHead(256)
        self.roi_head = nn.ModuleDict({"bbox_head": BoxHead(256, 1024)})

    def levels(self, x):
        return self.neck(self.backbone.branches(x))

    def proposals(self, x, levels, said):
        """The best anchors of every level, moved, and the best of all levels after suppression within each: R x 4."""
        boxes, scores, numbers = [], [], []
        for l, (level, (logits, differences)) in enumerate(zip(levels, said)):
            best, places = logits.sigmoid().topk(min(PROPOSALS, len(logits)))
            moved = clip(decode(anchors_of(level, 4 * 2**l)[places], differences[places], (1, 1, 1, 1)), x)
            real = with_area(moved)
            boxes.append(moved[real])
            scores.append(best[real])
            numbers.append(torch.full((len(boxes[-1]),), l))
        boxes = torch.cat(boxes)
        return boxes[batched_nms(boxes, torch.cat(scores), torch.cat(numbers), PROPOSAL_NMS)[:PROPOSALS]]

    def look(self, levels, regions):
        return self.roi_head["bbox_head"](region_features(levels, regions))

    def forward(self, x):
        levels = self.levels(x)
        regions = self.proposals(x, levels, self.rpn_head(levels))
        logits, differences = self.look(levels, regions)
        boxes = clip(decode(regions[:, None].expand_as(differences), differences, BOX_STDS), x)
        scores = logits.softmax(1)[:, :CLASSES]
        region, label = torch.nonzero(scores > MIN_SCORE, as_tuple=True)
        return detections(boxes[region, label], scores[region, label], label)


class FasterRCNNOutputs(Recorded, FasterRCNN):
    """Looks at regions that come with the weights: where rounding swaps two proposals, all that follows would be in another order."""

    recorded = ("rpn_head.rpn_cls", "rpn_head.rpn_reg", "roi_head.bbox_head.fc_cls", "roi_head.bbox_head.fc_reg")

    def __init__(self):
        super().__init__()
        self.register_buffer("regions", torch.zeros(PROPOSALS, 4))

    def proposals(self, *_):
        return self.regions


class ConvNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gn = nn.GroupNorm(32, channels)

    def forward(self, x):
        return F.relu_(self.gn(self.conv(x)))


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.scale


class FCOSHead(nn.Module):
    def __init__(self, channels, convs, levels):
        super().__init__()
        self.cls_convs = nn.Sequential(*[ConvNorm(channels) for _ in range(convs)])
        self.reg_convs = nn.Sequential(*[ConvNorm(channels) for _ in range(convs)])
        self.conv_cls = nn.Conv2d(channels, CLASSES, 3, padding=1)
        self.conv_reg = nn.Conv2d(channels, 4, 3, padding=1)
        self.conv_centerness = nn.Conv2d(channels, 1, 3, padding=1)
        self.scales = nn.ModuleList(Scale() for _ in range(levels))

    def forward(self, levels):
        """For each level: logits of classes, distances in pixels, logits of centreness."""
        outputs = []
        for level, factor in zip(levels, self.scales):
            classes, boxes = self.cls_convs(level), self.reg_convs(level)
            outputs.append((self.conv_cls(classes), factor(self.conv_reg(boxes)).exp(), self.conv_centerness(classes)))
        return outputs


class FCOS(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = LiteBranches()
        self.neck = PyramidNeck(15 * 40, 64, 5, 2)
        self.bbox_head = FCOSHead(64, 2, 5)

    def forward(self, x):
        boxes, scores, labels = [], [], []
        for l, maps in enumerate(self.bbox_head(self.neck(self.backbone.branches(x)))):
            classes, distances, centerness = (by_place(y) for y in maps)
            probabilities, centered = classes.sigmoid(), centerness.sigmoid()
            rating = probabilities.max(1).values * centered[:, 0]
            places = rating.topk(min(PER_LEVEL, len(rating))).indices
            stride = FIRST_STRIDE * 2**l
            middles = corners_of_cells(maps[0], stride)[places] + stride // 2
            around = clip(middles + distances[places] * distances.new_tensor([-1, -1, 1, 1]), x)
            own = probabilities[places]
            place, label = torch.nonzero((own > MIN_SCORE) & with_area(around)[:, None], as_tuple=True)
            boxes.append(around[place])
            scores.append((own * centered[places])[place, label])
            labels.append(label)
        return detections(torch.cat(boxes), torch.cat(scores), torch.cat(labels))


class FCOSOutputs(Recorded, FCOS):
    recorded = ("bbox_head.conv_cls", "bbox_head.conv_reg", "bbox_head.conv_centerness")
