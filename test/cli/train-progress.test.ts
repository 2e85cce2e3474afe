// The progress line of training, on a terminal and in a log file.
import { expect, test } from "vitest";
import { createTrainProgress } from "../../src/cli/train-progress.ts";

function start(isTTY: boolean) {
  const screen = { isTTY, columns: 120, text: "", write: (text: string) => (screen.text += text) };
  let time = 0;
  const progress = createTrainProgress({ steps: 4000, epochs: 20, stream: screen, now: () => time });
  return { screen, progress, wait: (seconds: number) => (time += 1000 * seconds) };
}

test("one line tells epoch, step, loss, images/s and time left", () => {
  const { screen, progress, wait } = start(true);
  // A resumed run: what was done before is no speed.
  for (let step = 1000; step <= 1200; step++) {
    progress.update({ step, epoch: 6, loss: 0.00123456, imagesPerSecond: 63.97 });
    wait(0.5);
  }
  // 2800 steps at two a second
  expect(screen.text.split("\r\x1b[2K").at(-1)).toBe(
    "epoch 6/20  step 1200/4000  30%  loss 0.001235  64.0 images/s  23 min 20 s left",
  );
});

test("a validation between the steps counts in the time left", () => {
  const { screen, progress, wait } = start(true);
  let step = 0;
  // 100 steps in 50 s, then 50 s of validation, in turn.
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 100; i++) {
      wait(0.5);
      progress.update({ step: ++step, epoch: 1, loss: 1, imagesPerSecond: 64 });
    }
    for (let i = 0; i < 50; i++) {
      wait(1);
      progress.update({ step, epoch: 1, loss: 1, imagesPerSecond: 64, note: `validation ${i}/50` });
    }
  }
  const line = screen.text.split("\r\x1b[2K").at(-1)!;
  expect(line).toMatch(/ {2}validation 49\/50$/);
  const minutes = Number(/(\d+) min/.exec(line)![1]);
  // 3200 steps at one a second are 53 min; without the validations it would be 27.
  expect(minutes).toBeGreaterThan(48);
  expect(minutes).toBeLessThan(60);
});

test("a log file gets lines ever more rarely, up to one a minute; a loss that is no number is shown", () => {
  const { screen, progress, wait } = start(false);
  for (let second = 0; second < 3600; second++) {
    progress.update({ step: second, epoch: 1, loss: Number.NaN, imagesPerSecond: 0 });
    wait(1);
  }
  const lines = screen.text.trimEnd().split("\n");
  const steps = lines.map((line) => Number(/step (\d+)/.exec(line)![1]));
  expect(steps.slice(0, 4)).toEqual([0, 5, 10, 15]);
  expect(steps.at(-1)! - steps.at(-2)!).toBe(60);
  expect(lines.length).toBeLessThan(90);
  expect(lines[0]).toBe("epoch 1/20  step 0/4000  0%  loss NaN");
});
