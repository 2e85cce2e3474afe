// The table of published checkpoints: every row's invariants, and finding one by name.
import { expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { findVariant } from "../../src/models/find-variant.ts";
import { VARIANTS } from "../../src/models/variants.ts";
import { classTableByName } from "../../src/segmentation/class-tables.ts";
import { SKELETONS } from "../../src/skeleton/skeletons.ts";
import { PUBLISHED } from "../../src/weights/published.ts";
import { findPublished, listPublished } from "../../src/weights/registry.ts";

test("names, addresses and digests are unique", () => {
  for (const field of ["name", "url", "sha256Prefix"] as const) {
    expect(new Set(PUBLISHED.map((entry) => entry[field])).size).toBe(PUBLISHED.length);
  }
});

test.each(PUBLISHED)("$name is a sound row", (entry) => {
  expect(entry.name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  expect(entry.name.startsWith(entry.architecture)).toBe(true);
  expect(entry.sha256Prefix).toMatch(/^[0-9a-f]{8}$/);
  const url = new URL(entry.url);
  expect(url.protocol).toBe("https:");
  expect(url.href).toBe(entry.url);
  expect(url.pathname.split("/").at(-1)).toContain(`-${entry.sha256Prefix}`);
  expect(VARIANTS.map(({ name }) => name)).toContain(entry.architecture);
  if (entry.task === "backbone") return;
  if (entry.task === "detection") {
    expect(classTableByName(entry.classes).classes).toHaveLength(80);
    expect(findVariant(entry.architecture).task).toBe("detection");
    expect(entry.url).toContain(entry.architecture.replaceAll("-", "_"));
    for (const schedule of ["1x", "2x", "20e"])
      if (entry.name.endsWith(`-${schedule}`)) expect(entry.url).toContain(`_${schedule}_coco_`);
    expect(entry.url.includes("mstrain")).toBe(entry.name.endsWith("-coco"));
    expect(entry.score.value).toBeGreaterThan(0.3);
    return;
  }
  const [height, width] = entry.input;
  expect(entry.url).toContain(`${height}x${width}`);
  expect(entry.name).toContain(`${height}x${width}`);
  if (entry.task === "segmentation") {
    const classes = classTableByName(entry.classes);
    const data = entry.classes.replace("-mmseg", "");
    expect(entry.name).toContain(data);
    expect(entry.url).toContain(data.replaceAll("-", "_"));
    expect(findVariant(entry.architecture).task).toBe("segmentation");
    expect(entry.architecture.endsWith("-ocr")).toBe(entry.url.includes("/ocrnet_"));
    const width = /w(\d+)(-small)?/.exec(entry.architecture)!;
    expect(entry.url).toContain(`_hr${width[1]}${width[2] ? "s" : ""}_`);
    expect(classes.classes.length).toBeGreaterThan(18);
    expect(entry.score.value).toBeGreaterThan(0.3);
    expect(entry.score.value).toBeLessThan(1);
    return;
  }
  expect([...SKELETONS.keys()]).toContain(entry.skeleton);
  expect(entry.score.value).toBeGreaterThan(0.5);
  expect(entry.score.value).toBeLessThan(1);
  // The authors' file names tell the training: they must agree with the row.
  const file = url.pathname.split("/").at(-1)!;
  expect(file.includes("dark")).toBe(entry.codec === "dark");
  expect(file.includes("udp")).toBe(entry.codec.startsWith("udp"));
  expect(file.includes("regress")).toBe(entry.codec === "udp-combined");
  expect(file).toContain(entry.skeleton.replace(/-\d+$/, ""));
  const written = entry.architecture.match(/w\d+|\d+$|mobilenet|shufflenet/)![0];
  expect(file).toContain(written);
});

test("a name finds its row, whatever its letter case", () => {
  expect(findPublished(" HRNet-W32-DARK-COCO-256x192 ")).toMatchObject({
    codec: "dark",
    input: [256, 192],
    sha256Prefix: "0e00bf12",
    codeBase: "mmpose-1.x",
  });
  expect(findPublished("lite-hrnet-18-coco-256x192").sha256Prefix).toBe("6bace359");
});

test.each([
  ["hrnet-w32-coco-256x129", "hrnet-w32-coco-256x192"],
  ["hrnet_w48_coco_384x288", "hrnet-w48-coco-384x288"],
  ["lite-hrnet-30-mpii", "lite-hrnet-30-mpii-256x256"],
])("%s proposes %s", (wrong, right) => {
  const error = catchError(() => findPublished(wrong));
  expect(error.code).toBe("unknown-model");
  expect(error.message).toContain(`Closest: ${right}`);
});

test("filters", () => {
  expect(listPublished()).toHaveLength(PUBLISHED.length);
  expect(listPublished({ task: "backbone" }).every(({ task }) => task === "backbone")).toBe(true);
  const lite = listPublished({ architecture: "lite-hrnet-18", codeBase: "mmpose-0.x" });
  expect(lite.map(({ name }) => name)).toEqual([
    "lite-hrnet-18-coco-256x192",
    "lite-hrnet-18-coco-384x288",
    "lite-hrnet-18-mpii-256x256",
  ]);
});

function catchError(call: () => unknown): HRNetError {
  try {
    call();
  } catch (error) {
    if (error instanceof HRNetError) return error;
  }
  throw new Error("no HRNetError was thrown");
}
