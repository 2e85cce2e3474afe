// The command as a user runs it: `hrnet pose` per picture against its network alone, and start-up.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { encodeImage } from "../src/image/encode.ts";
import { syntheticPerson } from "../src/image/synthetic-person.ts";
import { importStateDict } from "../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../src/model-file/onnx-model.ts";
import { openSession } from "../src/runtime/node.ts";
import { compare, type Group, median, row, timed } from "./measure.ts";
import { benchInput, benchNetwork } from "./networks.ts";

const run = promisify(execFile);
const COMMAND = resolve(import.meta.dirname, "../dist/cli/main.js");

/** Pictures of the long and the short run; their difference leaves start-up and opening the model out. */
const LONG = 42;
const SHORT = 2;
/** Times the command is started for its start-up. */
const STARTS = 15;

/** Milliseconds of one process from start to end. */
async function processTime(args: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  await run(process.execPath, [...args], { env: { ...process.env, NODE_OPTIONS: "" } });
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** `hrnet pose` with W32 over 640×480 JPEGs: decoding, crop, network, drawing and writing, per picture. */
async function poseRow(folder: string, threads: number, rounds: number, draw: "jpg" | "none") {
  const { weights } = benchNetwork("hrnet-w32");
  const { model } = importStateDict(weights, "hrnet-w32_256x192");
  const { onnx } = toOnnx(model);
  const modelFile = join(folder, "w32.onnx");
  await writeFile(modelFile, onnx);
  const pictures = await Promise.all(
    Array.from({ length: LONG }, async (_, seed) => {
      const path = join(folder, `${seed}.jpg`);
      await writeFile(path, await encodeImage(syntheticPerson(640, 480, seed).image, "jpeg"));
      return path;
    }),
  );
  const session = await openSession(onnx, { device: "cpu", threads });
  const input = benchInput(1);
  const pose = async (count: number): Promise<number> => {
    const out = await mkdtemp(join(folder, "out-"));
    const options = [
      "--model",
      modelFile,
      "--out",
      out,
      "--threads",
      `${threads}`,
      "--device",
      "cpu",
      "--draw",
      draw,
    ];
    return processTime([COMMAND, "pose", ...pictures.slice(0, count), ...options]);
  };
  const [whole, network] = (await compare(
    [
      {
        name: "pose",
        run: async () => [((await pose(LONG)) - (await pose(SHORT))) / (LONG - SHORT)],
      },
      { name: "session", run: timed(() => session.run({ input })) },
    ],
    { rounds, count: 20, warmUp: 0 },
  )) as [number, number];
  await session.dispose();
  const what = draw === "none" ? "JSON alone" : "drawn JPEG and JSON";
  // The target is at most 1.15 times the network's time.
  return row(
    `hrnet pose per picture, ${what}, against its network alone (W32)`,
    whole,
    network,
    "ms",
    1 / 1.15,
  );
}

/** Starting the command against starting Node.js. */
async function startRows() {
  const time = async (args: readonly string[]): Promise<number> => {
    const times: number[] = [];
    for (let n = 0; n < STARTS; n++) times.push(await processTime(args));
    return median(times);
  };
  const node = await time(["-e", "0"]);
  return [
    row("start-up: hrnet --help, against node alone", await time([COMMAND, "--help"]), node, "ms"),
    row(
      "start-up: hrnet pose --help, against node alone",
      await time([COMMAND, "pose", "--help"]),
      node,
      "ms",
    ),
  ];
}

/** Rows of the whole command. Needs dist/, which `npm run bench` builds. */
export async function commandRows(threads: number, rounds: number): Promise<Group> {
  const folder = await mkdtemp(join(tmpdir(), "hrnet-bench-"));
  try {
    const poseRounds = Math.max(3, Math.ceil(rounds / 2));
    const rows = [
      await poseRow(folder, threads, poseRounds, "jpg"),
      await poseRow(folder, threads, poseRounds, "none"),
      ...(await startRows()),
    ];
    const notes = [
      `hrnet pose: difference of runs over ${LONG} and ${SHORT} pictures of 640×480, whole processes.`,
    ];
    return { rows, notes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
