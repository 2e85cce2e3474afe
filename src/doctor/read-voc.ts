// Pascal VOC annotations for the doctor: what a file's XML does not allow to be read becomes a fault.

import { readVocInstances } from "../data/voc.ts";
import { firstById } from "./read-coco.ts";
import type { DoctorDataset, DoctorImage, Hit } from "./types.ts";

/**
 * The data set in a folder of XML files. Objects marked difficult count as all others.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`
 */
export async function readLenientVoc(folder: string): Promise<DoctorDataset> {
  const faults: Hit[] = [];
  const read = await readVocInstances(folder, {
    difficult: "keep",
    onFault: ({ message }) => faults.push({ text: message.replace(/^.*[\\/](?=[^\\/]*\.xml)/i, "") }),
  });
  const images = [...read.images.values()].map(
    ({ id, fileName, width, height }, index): DoctorImage => ({ index, id, fileName, width, height }),
  );
  return {
    source: folder,
    format: "instances",
    images,
    annotations: read.instances.map(({ id, imageId, categoryId, box, area, crowd }, index) => ({
      index,
      id,
      imageId,
      categoryId,
      box,
      area,
      keypoints: undefined,
      keypointNumbers: undefined,
      labelled: 0,
      keypointCount: undefined,
      crowd,
    })),
    categories: read.categories.map(({ id, name }, index) => ({
      index,
      id,
      name,
      keypoints: undefined,
      edges: [],
      flipPairs: [],
    })),
    skeleton: undefined,
    faults,
    imageById: firstById(images),
  };
}
