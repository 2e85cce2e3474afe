// Where the data sets of a segmentation recipe lie.

import { pairFoldersOf } from "../data/segmentation-pairs.ts";
import { belowRoot } from "../recipe/recipe-paths.ts";
import type { SegmentationData } from "../recipe/segmentation-schema.ts";
import type { SegmentationSet } from "../training-data/segmentation-samples.ts";

/** The folders of a data set of a recipe. */
export function setFolders(
  set: SegmentationData["train"][number] | NonNullable<SegmentationData["validation"]>,
  { root }: Pick<SegmentationData, "root">,
): SegmentationSet {
  const repeat = "repeat" in set ? { repeat: set.repeat } : {};
  if (set.format !== "folder") return { ...pairFoldersOf(set.format, root ?? "", set.split), ...repeat };
  const { images, labels, list, imageSuffix, labelSuffix } = set;
  return {
    images: belowRoot(root, images),
    labels: belowRoot(root, labels),
    ...(list !== undefined && { list: belowRoot(root, list) }),
    imageSuffix,
    labelSuffix,
    ...repeat,
  };
}
