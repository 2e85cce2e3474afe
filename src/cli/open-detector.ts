// The detector whose boxes a pose command takes.

import { Detector, type DetectorOptions } from "../estimators/detector.ts";
import { type CheckpointOptions, downloadProgress } from "./load-options.ts";
import type { DeviceOptions } from "./options.ts";

/**
 * Opens a detector by name or file; a published one that is not here yet is fetched, with progress.
 * @throws HRNetError as `Detector.load`
 */
export function openDetector(
  source: string,
  { offline, device, threads }: CheckpointOptions & DeviceOptions,
  signal: AbortSignal,
  settings: Pick<DetectorOptions, "minScore"> = {},
): Promise<Detector> {
  const download = { ...(offline && { offline }), onProgress: downloadProgress(source), signal };
  return Detector.load(source, { device, threads, download, ...settings });
}
