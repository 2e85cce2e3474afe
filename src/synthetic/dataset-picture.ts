// One picture of a drawn data set: drawn, encoded and written with its part labels.

import sharp from "sharp";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import { hashSeed, uniformRandom } from "../random/random.ts";
import { annotate, type PersonAnnotation } from "./annotations.ts";
import { between, type Range } from "./choose.ts";
import { type SyntheticSceneOptions, syntheticScene } from "./scene.ts";

/** What to draw and where to write it. */
export interface PictureJob {
  readonly scene: SyntheticSceneOptions & { readonly seed: number };
  readonly imagePath: string;
  readonly labelPath: string;
}

/** JPEG qualities, as pictures on the web have them. */
const QUALITY: Range = [70, 96];

/** @throws HRNetError `write-failed` */
export async function drawPicture({ scene, imagePath, labelPath }: PictureJob): Promise<PersonAnnotation[]> {
  const drawn = syntheticScene(scene);
  const { image, partLabels } = drawn;
  const quality = Math.round(between(uniformRandom(hashSeed(scene.seed, 9)), QUALITY));
  await writeFileAtomic(imagePath, await encodeImage(image, "jpeg", quality));
  const raw = { width: image.width, height: image.height, channels: 1 } as const;
  const labels = sharp(partLabels, { raw }).toColourspace("b-w").png({ compressionLevel: 6 });
  await writeFileAtomic(labelPath, await labels.toBuffer());
  return annotate(drawn);
}
