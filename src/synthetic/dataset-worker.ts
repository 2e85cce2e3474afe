// A worker thread that draws pictures of a data set, writes them, and tells what is on them.

import { parentPort } from "node:worker_threads";
import { HRNetError } from "../errors.ts";
import { drawPicture, type PictureJob } from "./dataset-picture.ts";

parentPort!.on("message", ({ index, job }: { readonly index: number; readonly job: PictureJob }) => {
  drawPicture(job).then(
    (annotations) => parentPort!.postMessage({ index, annotations }),
    (error: unknown) => {
      const code = error instanceof HRNetError ? error.code : undefined;
      parentPort!.postMessage({
        index,
        error: { code, message: error instanceof Error ? error.message : String(error) },
      });
    },
  );
});
