// Runs verbs of the command: inside this process, to be quick, and as real processes, for what only those show.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { onTestFinished } from "vitest";

/** Runs a verb's command here and gives back what it wrote to stdout. Errors are thrown. */
export async function runVerb(command: Command, ...args: string[]): Promise<string> {
  const { stdout } = process;
  const write = stdout.write;
  let text = "";
  stdout.write = ((chunk: string | Uint8Array): boolean => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  }) as typeof write;
  try {
    await command.exitOverride().parseAsync(args, { from: "user" });
  } finally {
    stdout.write = write;
  }
  return text;
}

/** What a process printed, and how it ended. */
export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** Runs `hrnet args…` as a process of its own. */
export function runCli(...args: string[]): Promise<CliRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** An empty folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
