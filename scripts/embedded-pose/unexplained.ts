// How far a model's heatmaps are from a teacher's: Σ(ours − theirs)² / Σ theirs², on plain crops of the first persons of a data set.
// 0: the same, 1: no better than empty maps.
// Usage: tsx scripts/embedded-pose/unexplained.ts MODEL TEACHER ANNOTATIONS.json IMAGES [PERSONS] [HEIGHTxWIDTH]

import { join } from "node:path";
import { readCocoKeypoints } from "../../src/data/coco.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { normalizationTable, warpIntoTensor } from "../../src/image/warp.ts";
import { loadModel } from "../../src/model-file/load-model.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { createHeatmapCodec } from "../../src/pose/codecs/heatmap-codec.ts";
import { boxToCenterScale } from "../../src/pose/transforms.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";

const [modelFile, teacherFile, annotations, images, most = "50", size = "256x192"] = process.argv.slice(2);
if (!modelFile || !teacherFile || !annotations || !images)
  throw new Error("usage: MODEL TEACHER ANNOTATIONS.json IMAGES [PERSONS] [HEIGHTxWIDTH]");
const [height, width] = size.split("x").map(Number) as [number, number];

const codec = createHeatmapCodec({ name: "tinypose" });
const open = async (file: string) => {
  const { model } = await loadModel(file, { input: [height, width] });
  const table = normalizationTable(model.description.preprocessing);
  return { table, session: await openSession(toOnnx(model).onnx, { device: "cpu" }) };
};
const [ours, theirs] = [await open(modelFile), await open(teacherFile)];
const { images: pictures, annotations: all } = await readCocoKeypoints(annotations);
const persons = all.filter(({ crowd, keypointCount }) => !crowd && keypointCount > 0).slice(0, Number(most));

let difference = 0;
let whole = 0;
for (const { imageId, box } of persons) {
  const image = await decodeImage(join(images, pictures.get(imageId)!.fileName));
  const region = boxToCenterScale(box, { aspect: width / height });
  const matrix = codec.cropMatrix(region, [width, height]);
  const [mine, taught] = await Promise.all(
    [ours, theirs].map(async ({ session, table }) => {
      const crop = tensor("float32", [1, 3, height, width]);
      warpIntoTensor(image, matrix, table, { width, height, out: crop.data, offset: 0 });
      const { heatmaps } = await session.run({ input: crop });
      return heatmaps!.data as Float32Array; // 1×K×H/4×W/4
    }),
  );
  for (let i = 0; i < taught!.length; i++) {
    difference += (mine![i]! - taught![i]!) ** 2;
    whole += taught![i]! ** 2;
  }
}
for (const { session } of [ours, theirs]) await session.dispose();
process.stdout.write(
  `unexplained ${(difference / whole).toFixed(3)}  (${persons.length} persons, ${size})\n`,
);
