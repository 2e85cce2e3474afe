// The progress line of training, on a terminal and in a log file.
import { expect, test } from "vitest";
import { createTrainProgress } from "../../src/cli/train-progress.ts";

function start(isTTY: boolean) {
  const screen = { isTTY, columns: 120, text: "", write: (text: string) => (screen.text += text) };
  let time = 0;
  const progress = createTrainProgress({ stream: screen, now: () => time });
  return { screen, progress, wait: (seconds: number) => (time += 1000 * seconds) };
}

/** The state after `done` batches of 20 epochs of 200. */
const after = (done: number) => ({
  epoch: Math.floor((done - 1) / 200) + 1,
  epochs: 20,
  batch: ((done - 1) % 200) + 1,
  batches: 200,
  step: done,
  loss: 0.00123456,
  learningRate: 0.0020000001,
  imagesPerSecond: 63.97,
});

test("one line tells epoch, batch, loss, learning rate, images/s and time left", () => {
  const { screen, progress, wait } = start(true);
  // A resumed run: what was done before is no speed.
  for (let done = 1000; done <= 1250; done++) {
    progress.update(after(done));
    wait(0.5);
  }
  // 2750 batches at two a second
  expect(screen.text.split("\r\x1b[2K").at(-1)).toBe(
    "epoch 7/20  batch 50/200  loss 0.00123  lr 0.002  64.0 images/s  22 min 55 s left",
  );
});

test("a validation is shown, and counts in the time left", () => {
  const { screen, progress, wait } = start(true);
  let done = 0;
  // 100 batches in 50 s, then 50 s of validation, in turn.
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 100; i++) {
      wait(0.5);
      progress.update(after(++done));
    }
    for (let i = 0; i < 50; i++) {
      wait(1);
      progress.update({ ...after(done), learningRate: Number.NaN, validation: { done: i, total: 50 } });
    }
  }
  const line = screen.text.split("\r\x1b[2K").at(-1)!;
  expect(line).toMatch(/^epoch 4\/20 {2}validation 49\/50 images {2}/);
  const minutes = Number(/(\d+) min/.exec(line)![1]);
  // 3200 batches at one a second are 53 min; without the validations it would be 27.
  expect(minutes).toBeGreaterThan(48);
  expect(minutes).toBeLessThan(60);
});

test("a log file gets lines ever more rarely, up to one a minute; a loss that is no number is shown", () => {
  const { screen, progress, wait } = start(false);
  for (let second = 1; second <= 3600; second++) {
    progress.update({ ...after(second), loss: Number.NaN, imagesPerSecond: 0 });
    wait(1);
  }
  const lines = screen.text.trimEnd().split("\n");
  const batches = lines.map((line) => {
    const [, epoch, batch] = /epoch (\d+)\/20 {2}batch (\d+)/.exec(line)!;
    return 200 * (Number(epoch) - 1) + Number(batch);
  });
  expect(batches.slice(0, 4)).toEqual([1, 6, 11, 16]);
  expect(batches.at(-1)! - batches.at(-2)!).toBe(60);
  expect(lines.length).toBeLessThan(90);
  expect(lines[0]).toBe("epoch 1/20  batch 1/200  loss NaN  lr 0.002");
});
