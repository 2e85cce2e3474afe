// What the names of a checkpoint's weights look like, for messages about files that are not ours.

/** Families of other networks by a name that is typical of them; the first that fits is said. */
const FAMILIES = [
  [/(^|\.)stage2\.0\.branches\.0\.0\.conv1\.weight$/, "looks like an HRNet"],
  [/^(module\.|model\.)*model\.\d+\.(m\.|cv\d\.|conv\.)/, "looks like a YOLO detector"],
  [/(^|\.)attn\.(qkv|q_proj|in_proj)/, "looks like a vision transformer"],
  [/(^|\.)(weight|bias)_(ih|hh)_l\d+/, "looks like a recurrent network (LSTM, GRU)"],
  [/(^|\.)layer4\.0\.conv1\.weight$/, "looks like a ResNet"],
  [/(^|\.)features\.\d+\./, "looks like a torchvision classifier (VGG, MobileNet, DenseNet …)"],
  [/(^|\.)(down|inc|up)\d*\.(maxpool_conv|double_conv|conv)\./, "looks like a U-Net"],
] as const;

/** How many names a message shows. */
const SHOWN = 4;

/** `looks like a ResNet (its weights: conv1.weight, bn1.weight, …)`. */
export function describeWeights(names: Iterable<string>): string {
  const list = [...names];
  const family = FAMILIES.find(([pattern]) => list.some((name) => pattern.test(name)));
  const shown = `its weights: ${list.slice(0, SHOWN).join(", ")}${list.length > SHOWN ? ", …" : ""}`;
  return `${family?.[1] ?? "looks like no network that is known here"} (${shown})`;
}
