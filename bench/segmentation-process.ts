// Segments one picture of noise in a process of its own, and tells the most memory it held.

import { createInterface } from "node:readline";
import { Segmenter } from "../src/estimators/segmenter.ts";
import { rgbImage } from "../src/image/rgb-image.ts";
import { importStateDict } from "../src/model-file/import-checkpoint.ts";
import { benchNetwork } from "./networks.ts";

for await (const line of createInterface(process.stdin)) {
  const { width, height, threads, network } = JSON.parse(line) as {
    width: number;
    height: number;
    threads: number;
    network: string;
  };
  const { model } = importStateDict(benchNetwork(network, [64, 64]).weights, network);
  await using segmenter = await Segmenter.load(model, { device: "cpu", threads });
  const image = rgbImage(width, height);
  for (let i = 0; i < image.data.length; i++) image.data[i] = (i * 2_654_435_761) >>> 24;
  const start = performance.now();
  await segmenter.segment(image);
  const ms = performance.now() - start;
  process.stdout.write(`${JSON.stringify({ megabytes: process.resourceUsage().maxRSS / 1024, ms })}\n`);
}
