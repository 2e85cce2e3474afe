// Heads on HRNet features: heatmaps (V1), concatenated logits (V2), V1h, OCR, classification, timm features, HRFPN (V2p).

import { HRNetError } from "../errors.ts";
import { add, scale } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linear.ts";
import { softmax } from "../graph/ops/normalization.ts";
import { globalAveragePool } from "../graph/ops/pool.ts";
import { concat, flatten, reshape, transpose } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { residualBlock } from "../nn/blocks.ts";
import { batchNorm2d, channelsOf, conv2d, convTranspose2d, linear, relu, sizeOf } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { centernetHead } from "./centernet-head.ts";
import { fcosDetector } from "./fcos-head.ts";
import { type HRNetFeatures, hrnetBackbone, resizeLike } from "./hrnet.ts";
import type { HRNetConfig, HRNetHead } from "./hrnet-config.ts";
import { pyramidNeck } from "./pyramid-neck.ts";
import { type RegionTestOptions, regionNetwork } from "./region-network.ts";

/** Outputs of a network by name. */
export type Outputs = Readonly<Record<string, Value>>;

/** Every branch resized to the highest resolution and concatenated: N×ΣC×H/4×W/4. */
function concatBranches(config: HRNetConfig, branches: readonly Value[]): Value {
  const size = sizeOf(branches[0]!);
  return concat(
    branches.map((x) => resizeLike(config, x, size)),
    1,
  );
}

/** 1×1 conv with bias → BN → ReLU → conv to logits: modules 0, 1, (2), 3 (`last_layer`, `aux_head`). */
function classifier(scope: Scope, x: Value, width: number, channels: number, kernel = 1): Value {
  const y = batchNorm2d(scope.child(1), conv2d(scope.child(0), x, { out: width, bias: true }));
  return conv2d(scope.child(3), relu(scope.child(2), y), { out: channels, kernel, bias: true });
}

/** conv → BN → ReLU with the OCR code's names: conv at `index`, BN one level deeper at `index + 1`.0. */
function ocrConv(scope: Scope, index: number, x: Value, out: number): Value {
  const y = conv2d(scope.child(index), x, { out });
  return relu(scope.child(index + 1, 1), batchNorm2d(scope.child(index + 1, 0), y));
}

/** Object-contextual representations (Yuan et al. 2020; seg_hrnet_ocr.py): coarse logits gather one context per class. */
function ocrHead(
  scope: Scope,
  config: HRNetConfig,
  head: HRNetHead<"ocr">,
  branches: readonly Value[],
): Outputs {
  const { channels: classes, mid, key } = head;
  const features = concatBranches(config, branches); // N×F×h×w
  const [h, w] = sizeOf(features);
  const aux = classifier(scope.child("aux_head"), features, channelsOf(features), classes); // N×K×h×w
  const entry = scope.child("conv3x3_ocr");
  const pixels = relu(
    entry.child(2),
    batchNorm2d(entry.child(1), conv2d(entry.child(0), features, { out: mid, kernel: 3, bias: true })),
  ); // N×mid×h×w

  // Spatial gather: each class's softmax over positions weighs the pixel features.
  const weights = softmax(reshape(aux, [0, classes, h * w]), 2); // N×K×hw
  const rows = transpose(reshape(pixels, [0, mid, h * w]), [0, 2, 1]); // N×hw×mid
  const context = transpose(matMul(weights, rows), [0, 2, 1]); // N×mid×K
  const objects = reshape(context, [0, mid, classes, 1]); // N×mid×K×1

  const block = scope.child("ocr_distri_head", "object_context_block");
  const twice = (name: string, x: Value): Value =>
    ocrConv(block.child(name), 2, ocrConv(block.child(name), 0, x, key), key);
  const query = transpose(reshape(twice("f_pixel", pixels), [0, key, h * w]), [0, 2, 1]); // N×hw×key
  const keys = reshape(twice("f_object", objects), [0, key, classes]); // N×key×K
  const values = transpose(
    reshape(ocrConv(block.child("f_down"), 0, objects, key), [0, key, classes]),
    [0, 2, 1],
  );
  const attention = softmax(scale(matMul(query, keys), key ** -0.5), 2); // N×hw×K
  const attended = reshape(transpose(matMul(attention, values), [0, 2, 1]), [0, key, h, w]); // N×key×h×w
  const lifted = ocrConv(block.child("f_up"), 0, attended, mid); // N×mid×h×w
  const merged = ocrConv(
    scope.child("ocr_distri_head", "conv_bn_dropout"),
    0,
    concat([lifted, pixels], 1),
    mid,
  );
  const logits = conv2d(scope.child("cls_head"), merged, { out: classes, bias: true });
  return { aux, logits };
}

/** HigherHRNet (Cheng et al. 2020, pose_higher_hrnet.py): heatmaps and tags at 1/4, then heatmaps alone at 1/2. */
function higherHead(scope: Scope, head: HRNetHead<"higher">, high: Value): Outputs {
  const width = channelsOf(high);
  const options = { out: head.channels + head.tags, bias: true };
  const heatmapsAndTags = conv2d(scope.child("final_layers", 0), high, options); // N×(J+T)×H/4×W/4
  const layers = scope.child("deconv_layers", 0);
  const up = convTranspose2d(layers.child(0, 0), concat([high, heatmapsAndTags], 1), {
    out: width,
    kernel: 4,
    stride: 2,
    padding: 1,
    outputPadding: 0,
  });
  let y = relu(layers.child(0, 2), batchNorm2d(layers.child(0, 1), up)); // N×C×H/2×W/2
  for (let k = 1; k <= head.blocks; k++) y = residualBlock(layers.child(k, 0), y, "basic", width);
  return {
    heatmapsAndTags,
    heatmaps: conv2d(scope.child("final_layers", 1), y, { out: head.channels, bias: true }),
  };
}

/** Each branch widened by one bottleneck (`incre_modules`). */
function widen(scope: Scope, branches: readonly Value[], planes: readonly number[]): Value[] {
  if (planes.length !== branches.length) {
    throw new HRNetError(
      "invalid-config",
      `The head lists ${planes.length} plane counts for ${branches.length} branches; give one per branch.`,
    );
  }
  return branches.map((x, b) =>
    residualBlock(scope.child("incre_modules", b, 0), x, "bottleneck", planes[b]!),
  );
}

/** Classification head (TPAMI App. B, cls_hrnet.py): widened branches merged downwards, 1×1 conv, mean, linear. */
function classificationHead(
  scope: Scope,
  head: HRNetHead<"classification">,
  branches: readonly Value[],
): Outputs {
  const wide = widen(scope, branches, head.planes);
  const merged = wide.reduce((y, x, b) => {
    const down = scope.child("downsamp_modules", b - 1);
    const reduced = conv2d(down.child(0), y, { out: channelsOf(x), kernel: 3, stride: 2, bias: true });
    return add(x, relu(down.child(2), batchNorm2d(down.child(1), reduced)));
  });
  const final = scope.child("final_layer");
  const y = relu(
    final.child(2),
    batchNorm2d(final.child(1), conv2d(final.child(0), merged, { out: head.final, bias: true })),
  );
  return { logits: linear(scope.child("classifier"), flatten(globalAveragePool(y)), head.channels) };
}

/**
 * An HRNet with its head on x (N×3×H×W). Output names: `heatmaps`, `logits` (with `aux` for OCR), `feature…`, `level…`, and those of
 * {@link fcosDetector}, {@link centernetHead} and {@link regionNetwork}.
 * @param test how a two-stage detector makes its detections
 */
export function hrnet(scope: Scope, config: HRNetConfig, x: Value, test?: RegionTestOptions): Outputs {
  const head = config.head;
  const root = ["fpn", "fcos", "rcnn"].includes(head.type) ? scope.child("backbone") : scope;
  const features = (single: boolean): HRNetFeatures => hrnetBackbone(root, config, x, single);
  switch (head.type) {
    case "heatmap": {
      const [high] = features(true).branches;
      const { channels: out, kernel } = head;
      return { heatmaps: conv2d(scope.child("final_layer"), high!, { out, kernel, bias: true }) };
    }
    case "heatmap-per-resolution": {
      const maps = features(false).branches.map(
        (y, b) =>
          [
            `heatmaps${b}`,
            conv2d(scope.child("final_layers", b), y, { out: head.channels, bias: true }),
          ] as const,
      );
      return Object.fromEntries(maps);
    }
    case "higher":
      return higherHead(scope, head, features(true).branches[0]!);
    case "v2": {
      const joined = concatBranches(config, features(false).branches); // N×15C×H/4×W/4
      return {
        logits: classifier(scope.child("last_layer"), joined, channelsOf(joined), head.channels, head.kernel),
      };
    }
    case "v1h": {
      const [high] = features(true).branches;
      const width = config.stages.at(-1)!.channels.reduce((sum, c) => sum + c, 0);
      return { logits: classifier(scope.child("last_layer"), high!, width, head.channels) };
    }
    case "ocr":
      return ocrHead(scope, config, head, features(false).branches);
    case "classification":
      return classificationHead(scope, head, features(false).branches);
    case "features": {
      const { branches, stem } = features(false);
      const maps = [stem, ...widen(scope, branches, head.planes)];
      return Object.fromEntries(maps.map((y, index) => [`feature${index}`, y]));
    }
    case "fpn":
      return Object.fromEntries(
        pyramidNeck(scope.child("neck"), head, features(false).branches).map((y, i) => [`level${i}`, y]),
      );
    case "fcos":
      return fcosDetector(scope, head, features(false).branches);
    case "centernet":
      return centernetHead(scope, head, concatBranches(config, features(false).branches));
    case "rcnn": {
      const levels = pyramidNeck(scope.child("neck"), { ...head.neck, stride: 1 }, features(false).branches);
      return regionNetwork(scope, head, x, levels, test);
    }
  }
}
