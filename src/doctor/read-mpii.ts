// MPII's persons as HRNet's json files list them, for the doctor: everything read, nothing refused.

import { MPII_JOINTS } from "../data/mpii.ts";
import { MPII_16 } from "../skeleton/skeletons.ts";
import { countLabelled, isNumbers, type Json, LenientFields, shown } from "./fields.ts";
import { firstById } from "./read-coco.ts";
import type { DoctorAnnotation, DoctorDataset, DoctorImage } from "./types.ts";

/** The data set in parsed JSON; pictures get ids in the order of their first mention, entries their place as id. */
export function readLenientMpii(json: unknown, source: string): DoctorDataset {
  const fields = new LenientFields();
  const byName = new Map<string, DoctorImage>();
  const annotations = fields.objects(json, "the file").map(({ entry, index }): DoctorAnnotation => {
    const where = `entry ${index}`;
    const fileName = fields.text(entry, "image", where);
    let image = fileName === undefined ? undefined : byName.get(fileName);
    if (fileName !== undefined && image === undefined) {
      image = { index: byName.size, id: byName.size, fileName, width: undefined, height: undefined };
      byName.set(fileName, image);
    }
    const keypoints = readJoints(fields, entry, where);
    const mpii = {
      center: fields.numbers(entry, "center", where, 2),
      scale: fields.number(entry, "scale", where),
    };
    return {
      index,
      id: index,
      imageId: image?.id,
      categoryId: undefined,
      box: undefined,
      area: undefined,
      keypoints,
      keypointNumbers: keypoints?.length,
      labelled: countLabelled(keypoints),
      keypointCount: undefined,
      crowd: false,
      mpii,
    };
  });
  const images = [...byName.values()];
  return {
    source,
    format: "mpii",
    images,
    annotations,
    categories: [],
    skeleton: MPII_16,
    faults: fields.faults,
    imageById: firstById(images),
  };
}

/** K×3 in pixels counted from 0, v as written; `undefined` in the test set and where nothing can be made of it. */
function readJoints(fields: LenientFields, entry: Json, where: string): number[] | undefined {
  const joints = entry["joints"];
  if (joints == null) return undefined;
  const points = Array.isArray(joints) && joints.every((point) => isNumbers(point) && point.length === 2);
  if (!points || joints.length !== MPII_JOINTS) {
    const count = Array.isArray(joints) ? ` (${joints.length} entries)` : "";
    fields.fault(where, `joints is ${shown(joints)}${count}, expected ${MPII_JOINTS} points [x, y]`);
    return undefined;
  }
  const visible = fields.numbers(entry, "joints_vis", where, MPII_JOINTS);
  if (entry["joints_vis"] == null) fields.fault(where, "joints_vis is missing");
  return (joints as [number, number][]).flatMap(([x, y], j) => [x - 1, y - 1, visible?.[j] ?? 0]);
}
