// hrnet download: the published checkpoints, listed or fetched into the cache.

import { Command } from "commander";
import { downloadCheckpoint } from "../weights/download.ts";
import type { PublishedCheckpoint } from "../weights/published-checkpoint.ts";
import { findPublished, listPublished } from "../weights/registry.ts";
import { interruptSignal } from "./interrupt.ts";
import { downloadProgress } from "./load-options.ts";
import { byteSize } from "./progress.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly offline?: boolean;
  readonly json?: boolean;
}

function scoreText(entry: PublishedCheckpoint): string {
  if (entry.task === "backbone") return "–";
  const { metric, value, dataset } = entry.score;
  return `${metric} ${value} (${dataset}${entry.task === "pose" ? `; boxes: ${entry.score.boxes}` : ""})`;
}

function listText(entries: readonly PublishedCheckpoint[]): string {
  const rows = entries.map((entry) => [
    entry.name,
    entry.task === "backbone" ? "–" : entry.input.join("×"),
    entry.task === "pose" ? entry.codec : "–",
    scoreText(entry),
    entry.licence,
  ]);
  return formatTable([["name", "input", "codec", "recorded score", "licence"], ...rows]);
}

export function command(): Command {
  return new Command("hrnet download")
    .description(
      "Fetches a published checkpoint into the cache folder, checked by its digest, and prints its path.\n" +
        "Without a name: lists the published checkpoints.",
    )
    .argument("[name]", "a published checkpoint")
    .option("--offline", "do not use the network: say whether it is in the cache")
    .option("--json", "JSON on stdout")
    .addHelpText(
      "after",
      `
An interrupted download continues where it stopped. HRNET_CACHE names another cache folder.

Examples:
  hrnet download
  hrnet download lite-hrnet-18-coco-256x192
  hrnet pose photo.jpg --model lite-hrnet-18-coco-256x192`,
    )
    .action(async (name: string | undefined, { offline, json }: Options) => {
      if (name === undefined) {
        const entries = listPublished();
        process.stdout.write(`${json ? JSON.stringify(entries, null, 2) : listText(entries)}\n`);
        return;
      }
      const entry = findPublished(name);
      const { signal, release } = interruptSignal();
      try {
        const result = await downloadCheckpoint(entry, {
          signal,
          onProgress: downloadProgress(entry.name),
          ...(offline && { offline }),
        });
        const { path, bytes, fromCache } = result;
        process.stdout.write(
          json
            ? `${JSON.stringify({ name: entry.name, ...result })}\n`
            : `${path}\n${byteSize(bytes)}, ${fromCache ? "already there" : "downloaded"}, digest checked\n`,
        );
      } finally {
        release();
      }
    });
}
