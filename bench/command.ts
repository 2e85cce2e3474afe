// The command as a user runs it: `hrnet pose` per picture against its network alone, and start-up.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { encodeImage } from "../src/image/encode.ts";
import { importStateDict } from "../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../src/model-file/onnx-model.ts";
import { openSession } from "../src/runtime/node.ts";
import { syntheticScene } from "../src/synthetic/scene.ts";
import { compare, type Group, median, type Row, row, threadsOf, timed } from "./measure.ts";
import { benchInput, benchNetwork, openPoolCompetitor } from "./networks.ts";

const run = promisify(execFile);
const COMMAND = resolve(import.meta.dirname, "../dist/cli/main.js");

/** Pictures of the long and the short run; their difference leaves start-up and opening the model out. */
const LONG = 62;
const SHORT = 2;
/** Times the command is started for its start-up. */
const STARTS = 15;

/** Milliseconds of one process from start to end. */
async function processTime(args: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  await run(process.execPath, [...args], { env: { ...process.env, NODE_OPTIONS: "" } });
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Pictures of 640×480 to run over. */
async function drawPictures(folder: string): Promise<string[]> {
  return Promise.all(
    Array.from({ length: LONG }, async (_, seed) => {
      const path = join(folder, `${seed}.jpg`);
      await writeFile(
        path,
        await encodeImage(syntheticScene({ width: 640, height: 480, seed }).image, "jpeg"),
      );
      return path;
    }),
  );
}

/** `hrnet pose` over the pictures: decoding, crop, network, drawing and writing, per picture, against its network alone. */
async function poseRow(
  name: string,
  pictures: readonly string[],
  { folder, threads, rounds }: { folder: string; threads: number; rounds: number },
  target?: number,
): Promise<Row[]> {
  const { model } = importStateDict(benchNetwork(name).weights, `${name}_256x192`);
  const { onnx } = toOnnx(model);
  const modelFile = join(folder, `${name}.onnx`);
  await writeFile(modelFile, onnx);
  const pose = async (count: number): Promise<number> => {
    const out = await mkdtemp(join(folder, "out-"));
    const options = ["--model", modelFile, "--out", out, "--threads", `${threads}`, "--device", "cpu"];
    return processTime([COMMAND, "pose", ...pictures.slice(0, count), ...options]);
  };
  const input = benchInput(1);
  const session = await openSession(onnx, { device: "cpu", threads });
  const pool = await openPoolCompetitor("pool", onnx, input, threads);
  const whole = {
    name: "pose",
    run: async () => [((await pose(LONG)) - (await pose(SHORT))) / (LONG - SHORT)],
  };
  const alone = { name: "session", run: timed(() => session.run({ input })) };
  const times = await compare([whole, alone, pool], { rounds, count: 24, warmUp: 0 });
  const [ours, one, sideBySide] = times as [number, number, number];
  await session.dispose();
  await pool.close();
  const what = `hrnet pose per picture, drawn (${name})`;
  return [
    row(`${what}, against its session (${threadsOf(threads)})`, ours, one, "ms", target),
    row(`${what}, against ${threads} sessions side by side`, ours, sideBySide, "ms"),
  ];
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
    const pictures = await drawPictures(folder);
    const settings = { folder, threads, rounds: Math.max(3, Math.ceil(rounds / 2)) };
    const rows = [
      // The target is at most 1.15 times the network's time.
      ...(await poseRow("hrnet-w32", pictures, settings, 1 / 1.15)),
      ...(await poseRow("lite-hrnet-18", pictures, settings)),
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
