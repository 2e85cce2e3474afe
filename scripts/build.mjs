// Builds dist/ from src/: a clean folder, then one TypeScript emit (a module per file, so that a command loads only
// what it needs and worker scripts keep their places).
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
chmodSync("dist/cli/main.js", 0o755);
