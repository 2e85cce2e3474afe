// Where downloaded checkpoints are kept.

import { homedir } from "node:os";
import { join, posix } from "node:path";
import { HRNetError } from "../errors.ts";

/** What the place of the cache depends on; by default this process's. */
export interface CacheSurroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
  readonly home?: string;
}

/**
 * The cache folder: `HRNET_CACHE` as it is, else `hrnet-ts` in the system's place for caches
 * (`$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches` on macOS; `%LOCALAPPDATA%` on Windows).
 */
export function cacheFolder(surroundings: CacheSurroundings = {}): string {
  const { env = process.env, platform = process.platform, home = homedir() } = surroundings;
  if (env["HRNET_CACHE"]) return env["HRNET_CACHE"];
  if (platform === "win32") return join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "hrnet-ts");
  if (platform === "darwin") return join(home, "Library", "Caches", "hrnet-ts");
  // The XDG specification: a relative path in the variable is invalid and ignored.
  const xdg = env["XDG_CACHE_HOME"];
  return join(xdg?.startsWith("/") ? xdg : join(home, ".cache"), "hrnet-ts");
}

/**
 * The name a URL's file has in the cache: its last path segment, reduced to harmless characters, with the digest put
 * in if it is not there, so that two files of one name never meet.
 * @throws HRNetError `usage` if the URL names no file.
 */
export function cachedName(url: URL, sha256Prefix: string): string {
  const name = posix
    .basename(url.pathname)
    .replaceAll(/[^\w.-]/g, "_")
    .replace(/^\.+/, "")
    .slice(-150);
  if (name === "")
    throw new HRNetError("usage", `The URL ${url.href} names no file. Give the address of a checkpoint.`);
  if (name.includes(sha256Prefix)) return name;
  const extension = posix.extname(name);
  return `${name.slice(0, name.length - extension.length)}-${sha256Prefix.slice(0, 16)}${extension}`;
}
