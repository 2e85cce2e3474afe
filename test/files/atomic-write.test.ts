// Outputs are whole or not there; links are followed, pipes and devices written as they are.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeFileAtomic } from "../../src/files/atomic-write.ts";
import { temporaryFolder } from "../helpers/cli.ts";

const text = (path: string): string => readFileSync(path, "utf8");

test("text, bytes and pieces, in a folder that is made", async () => {
  const folder = join(temporaryFolder(), "a", "b");
  await writeFileAtomic(join(folder, "t"), "ümlaut");
  await writeFileAtomic(join(folder, "b"), Uint8Array.of(65, 66));
  await writeFileAtomic(join(folder, "p"), [Uint8Array.of(65), Uint8Array.of(67)]);
  expect([text(join(folder, "t")), text(join(folder, "b")), text(join(folder, "p"))]).toEqual([
    "ümlaut",
    "AB",
    "AC",
  ]);
  expect(readdirSync(folder).sort()).toEqual(["b", "p", "t"]);
});

test("a failure in the middle leaves the earlier file and nothing else", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "f");
  writeFileSync(path, "before");
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error("the disk is gone");
  }
  await expect(writeFileAtomic(path, pieces())).rejects.toMatchObject({
    code: "write-failed",
    message: expect.stringMatching(/Cannot write .*f: the disk is gone/),
  });
  expect(text(path)).toBe("before");
  expect(readdirSync(folder)).toEqual(["f"]);
});

test("a folder in the file's place, a file in the folder's place", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "taken"));
  writeFileSync(join(folder, "file"), "");
  await expect(writeFileAtomic(join(folder, "taken"), "x")).rejects.toMatchObject({ code: "write-failed" });
  await expect(writeFileAtomic(join(folder, "file", "x"), "x")).rejects.toMatchObject({
    code: "write-failed",
  });
  expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
});

test("a link stays one; the file it leads to is written", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "target"), "before");
  symlinkSync("target", join(folder, "link"));
  await writeFileAtomic(join(folder, "link"), "after");
  expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
  expect(text(join(folder, "target"))).toBe("after");
});

test.skipIf(process.platform === "win32")(
  "a pipe gets the bytes, a full device fails and stays",
  async () => {
    const pipe = join(temporaryFolder(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const [received] = await Promise.all([readFile(pipe, "utf8"), writeFileAtomic(pipe, "through")]);
    expect(received).toBe("through");
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    if (!existsSync("/dev/full")) return;
    await expect(writeFileAtomic("/dev/full", "x")).rejects.toMatchObject({
      code: "write-failed",
      message: expect.stringMatching(/ENOSPC/),
    });
    expect(lstatSync("/dev/full").isCharacterDevice()).toBe(true);
  },
);
