#!/usr/bin/env node
// The `hrnet` command: finds the verb, loads only it, prints one clear line per error.

import { type Command, CommanderError } from "commander";
import { HRNetError, messageOf } from "../errors.ts";
import { packageVersion } from "./version.ts";

/** What every verb's file exports: its command, ready to parse. */
interface VerbModule {
  command(): Command;
}

/** Verbs with their line in `hrnet --help`; each is loaded only when it is used, so that the command starts at once. */
const VERBS: Readonly<Record<string, { summary: string; load: () => Promise<VerbModule> }>> = {
  pose: { summary: "keypoints of every person in pictures", load: () => import("./pose.ts") },
  segment: { summary: "the class of every pixel of pictures", load: () => import("./segment.ts") },
  detect: { summary: "boxes of objects in pictures", load: () => import("./detect.ts") },
  train: { summary: "train a network by a recipe, on your own data", load: () => import("./train.ts") },
  eval: { summary: "score a model on a data set (AP, PCKh)", load: () => import("./eval.ts") },
  doctor: { summary: "check a data set, explain what is wrong", load: () => import("./doctor.ts") },
  import: {
    summary: "read a published checkpoint, report what was loaded",
    load: () => import("./import.ts"),
  },
  export: { summary: "write a model as one self-contained .onnx", load: () => import("./export.ts") },
  forward: { summary: "run a network on a plain .npy array", load: () => import("./forward.ts") },
  models: { summary: "list networks, their size and the papers' figures", load: () => import("./models.ts") },
  download: { summary: "list published checkpoints, fetch one", load: () => import("./download.ts") },
  synthesize: {
    summary: "draw a data set of people, with exact keypoints, masks and parts",
    load: () => import("./synthesize.ts"),
  },
  demo: {
    summary: "pose estimation on a picture given, or on one drawn here",
    load: () => import("./demo.ts"),
  },
};

/** Exit codes: the work failed, or the call was wrong. */
const FAILED = 1;
const WRONG_USAGE = 2;
const INTERRUPTED = 130;

function help(): string {
  const width = Math.max(...Object.keys(VERBS).map((name) => name.length));
  const verbs = Object.entries(VERBS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "Usage: hrnet <verb> [options]",
    "",
    "High-resolution networks for human pose, segmentation and detection.",
    "",
    "Verbs:",
    ...verbs,
    "",
    "Every verb: --help with examples, --json for machines. Exit codes: 0 ok, 1 failed, 2 wrong usage.",
    "",
  ].join("\n");
}

/** Commander reports wrong usage by throwing, not by ending the process. */
function throwInsteadOfExit(command: Command): Command {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
  return command;
}

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  if (name === undefined || name === "help" || name.startsWith("-")) {
    const known = name === "help" || name === "--help" || name === "-h";
    (known ? process.stdout : process.stderr).write(help());
    if (known) return 0;
    if (name !== undefined) process.stderr.write(`hrnet: unknown option ${name}\n`);
    return WRONG_USAGE;
  }
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb) {
    process.stderr.write(`hrnet: unknown verb ${name}. There are: ${Object.keys(VERBS).join(", ")}.\n`);
    return WRONG_USAGE;
  }
  const module = await verb.load();
  await throwInsteadOfExit(module.command()).parseAsync(rest, { from: "user" });
  return typeof process.exitCode === "number" ? process.exitCode : 0;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // it has printed its message
  process.stderr.write(`hrnet: ${messageOf(error)}\n`);
  if (!(error instanceof HRNetError)) {
    process.stderr.write(
      `${error instanceof Error ? error.stack : ""}\nThis is a fault in hrnet-ts; please report it.\n`,
    );
    return FAILED;
  }
  return { usage: WRONG_USAGE, aborted: INTERRUPTED }[error.code as string] ?? FAILED;
}

// A reader that goes away (`hrnet models | head`) ends the command quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2)).catch(exitCodeOf);
