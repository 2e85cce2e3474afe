// How many CPUs this process may use.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Where Linux says how much CPU time a container gets: cgroup v2, then v1. */
const QUOTA_FILES = [
  { quota: "/sys/fs/cgroup/cpu.max", period: undefined },
  { quota: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", period: "/sys/fs/cgroup/cpu/cpu.cfs_period_us" },
] as const;

/**
 * CPUs that a container's time quota amounts to, or `Infinity` without one. Node.js 20's `availableParallelism` knows
 * CPU affinity but not this quota; more threads than it allows are stopped for most of every period.
 * @param text `"<quota> <period>"` in microseconds; the quota is `max` or -1 where there is none
 */
export function cpusOfQuota(text: string): number {
  const [quota = Number.NaN, period = Number.NaN] = text.trim().split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? Math.max(1, Math.ceil(quota / period)) : Number.POSITIVE_INFINITY;
}

/** CPUs this process may use: at least 1. */
export function availableCpus(): number {
  const quotas = QUOTA_FILES.map(({ quota, period }) => {
    try {
      const text = readFileSync(quota, "utf8");
      return cpusOfQuota(period === undefined ? text : `${text.trim()} ${readFileSync(period, "utf8")}`);
    } catch {
      return Number.POSITIVE_INFINITY; // not Linux, or no such cgroup version
    }
  });
  return Math.min(availableParallelism(), ...quotas);
}
