// The progress line, on a stream that looks like a terminal and on one that does not.
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { byteSize, createProgress, duration, type ProgressOptions } from "../../src/cli/progress.ts";

class Screen extends Writable {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 80) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
    this.columns = columns;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }

  /** What a person sees: a cleared line is gone. */
  get visible(): string[] {
    return this.text.split("\n").map((line) => line.split("\r\x1b[2K").at(-1)!);
  }
}

function start(screen: Screen, options: Partial<ProgressOptions> = {}) {
  let time = 0;
  const progress = createProgress({
    label: "pose",
    unit: "images",
    stream: screen,
    now: () => time,
    ...options,
  });
  return { progress, wait: (seconds: number) => (time += seconds * 1000) };
}

test("a terminal shows one line with share, speed and time left", () => {
  const screen = new Screen(true);
  const { progress, wait } = start(screen, { total: 400 });
  progress.update(0);
  for (let done = 10; done <= 120; done += 10) {
    wait(1);
    progress.update(done, "photo.jpg");
  }
  expect(screen.visible).toEqual(["pose  120/400 images  30%  10.0/s  28 s left  photo.jpg"]);
  progress.log("b.jpg: damaged");
  expect(screen.visible).toEqual([
    "b.jpg: damaged",
    "pose  120/400 images  30%  10.0/s  28 s left  photo.jpg",
  ]);
  progress.finish();
  progress.update(121);
  progress.finish();
  expect(screen.visible).toEqual(["b.jpg: damaged", "pose: 120 images in 12 s", ""]);
});

test("a terminal is redrawn at most ten times a second", () => {
  const screen = new Screen(true);
  const { progress, wait } = start(screen);
  for (let done = 0; done < 1000; done++) {
    progress.update(done);
    wait(0.001);
  }
  expect(screen.text.split("\r").length - 1).toBe(10);
});

test("a log file gets a plain line every few seconds", () => {
  const screen = new Screen(false);
  const { progress, wait } = start(screen, { total: 12 });
  for (let done = 0; done <= 12; done++) {
    progress.update(done);
    wait(1);
  }
  progress.finish("done");
  expect(screen.text).toBe(
    "pose  0/12 images  0%\npose  5/12 images  41%  1.0/s  7 s left\npose  10/12 images  83%  1.0/s  2 s left\ndone\n",
  );
});

test("quiet writes nothing but what is logged", () => {
  const screen = new Screen(true);
  const { progress } = start(screen, { quiet: true });
  progress.update(1);
  progress.finish();
  expect(screen.text).toBe("");
  progress.log("kept");
  expect(screen.text).toBe("kept\n");
});

test("bytes, a total that becomes known late, and a resumed beginning that is no speed", () => {
  const screen = new Screen(true);
  const { progress, wait } = start(screen, { unit: "bytes", label: "fetch" });
  progress.update(100e6);
  expect(screen.visible).toEqual(["fetch  100 MB"]);
  wait(1);
  progress.update(102e6, "", 255e6);
  expect(screen.visible).toEqual(["fetch  102 MB/255 MB  40%  2.0 MB/s  1 min 17 s left"]);
});

test("the speed follows a change within seconds", () => {
  const screen = new Screen(true);
  const { progress, wait } = start(screen);
  let done = 0;
  progress.update(done);
  for (let second = 0; second < 60; second++) {
    wait(1);
    done += second < 30 ? 100 : 10;
    progress.update(done);
  }
  // 30 s are six time constants: 10 + 90·e⁻⁶ ≈ 10.2.
  expect(screen.visible[0]).toContain("10.2/s");
});

test("a narrow terminal cuts the line, and names cannot move the cursor", () => {
  const screen = new Screen(true, 20);
  start(screen).progress.update(3, "a\nb\x1b[2J.jpg");
  expect(screen.visible).toEqual(["pose  3 images  a?…"]);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1500, "1.5 kB"],
  [99_960, "100 kB"],
  [999_900, "1.0 MB"],
  [255e6, "255 MB"],
  [2 ** 31, "2.1 GB"],
])("%d bytes are %s", (bytes, text) => expect(byteSize(bytes)).toBe(text));

test.each([
  [0.4, "0 s"],
  [59.4, "59 s"],
  [200, "3 min 20 s"],
  [3599.6, "1 h 0 min"],
  [7500, "2 h 5 min"],
])("%d seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));
