// Every check of the doctor: a set without fault passes all, and one fault brings exactly the findings it should.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CHECKS, runChecks } from "../../src/doctor/checks.ts";
import { SEGMENTATION_CHECKS } from "../../src/doctor/segmentation/checks.ts";
import type { Examined, Finding } from "../../src/doctor/types.ts";
import { SKELETONS } from "../../src/skeleton/skeletons.ts";
import { broken, type Case } from "./break.ts";
import { FILE_CASES } from "./cases-files.ts";
import { OBJECT_CASES } from "./cases-objects.ts";
import { PERSON_CASES } from "./cases-persons.ts";
import { examined, goodCoco, goodInstances, goodMpii, type Loose, poseAt } from "./good-sets.ts";

const ids = (findings: readonly Finding[]): string[] => findings.map(({ id }) => id);
const check = (set: Examined): Finding[] => runChecks(set, 5);

const CASES: readonly Case[] = [...FILE_CASES, ...PERSON_CASES, ...OBJECT_CASES];

describe("one fault at a time", () => {
  test.each(CASES.map((one, i) => ({ ...one, name: `${one.finds[0]} (${i})` })))(
    "$name",
    ({ finds, set, count, says }) => {
      const findings = check(set());
      expect(ids(findings).sort()).toEqual([...finds].sort());
      const first = findings.find(({ id }) => id === finds[0])!;
      if (count !== undefined) expect(first.count).toBe(count);
      if (says !== undefined) expect(first.examples[0]!.text).toContain(says);
    },
  );
});

test("sets without fault pass", () => {
  expect(ids(check(examined(goodCoco())))).toEqual([]);
  expect(ids(check(examined(goodMpii())))).toEqual([]);
  expect(ids(check(examined(goodInstances())))).toEqual([]);
});

test("every check is tried above and explained in the documentation", () => {
  const all = CHECKS.map(({ id }) => id).sort();
  expect(new Set(all).size).toBe(all.length);
  const tried = new Set(CASES.flatMap(({ finds }) => finds));
  expect(all.filter((id) => !tried.has(id))).toEqual([]);
  const page = readFileSync(new URL("../../docs/doctor.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (\w+) \|/gm)].map(
    ([, id, severity]) => `${id} ${severity}`,
  );
  const documented = [...CHECKS, ...SEGMENTATION_CHECKS].map(({ id, severity }) => `${id} ${severity}`);
  expect(rows.sort()).toEqual(documented.sort());
});

test("a fault in each of 50,000 persons is found in seconds", () => {
  const json = goodCoco();
  const annotations: Loose[] = [];
  for (let i = 0; i < 50_000; i++) {
    const [x, y] = [i % 97, i % 101];
    annotations.push({
      id: i,
      image_id: 1 + (i % 60),
      category_id: 1,
      bbox: [x + 90, y, 60, 120],
      area: 1,
      num_keypoints: 17,
      keypoints: poseAt(x, y),
    });
  }
  const start = performance.now();
  const findings = check(examined({ ...json, annotations }));
  expect(performance.now() - start).toBeLessThan(8000);
  expect(findings.find(({ id }) => id === "area-tiny")!.count).toBe(50_000);
});

test("hostile JSON of every shape is survived", () => {
  const values: Loose[] = [
    null,
    1,
    "x",
    [],
    {},
    [null],
    [[]],
    { images: 1 },
    { images: [null, {}], annotations: [{ keypoints: 3 }] },
  ];
  for (const value of values) expect(check(examined(value)).length).toBeGreaterThan(0);
  for (const value of [null, -1, 1e308, "x", [], {}, [1e308, -1e308, 0, 0], true]) {
    for (const list of ["images", "annotations", "categories"] as const) {
      for (const key of Object.keys(goodCoco()[list][0])) {
        const json = broken((one) => Object.assign(one[list][0], { [key]: value }));
        expect(() => check(examined(json)), `${list}.${key} = ${JSON.stringify(value)}`).not.toThrow();
      }
    }
  }
});

test("published sets of keypoints bring no finding on the set itself", () => {
  for (const { keypoints } of SKELETONS.values()) {
    const json = broken((one) => {
      one.categories[0].keypoints = [...keypoints];
    });
    const about = ids(check(examined(json))).filter((id) =>
      /^(keypoint-(name|order)|edge|flip|side-|sigmas|no-flip)/.test(id),
    );
    expect(about).toEqual([]);
  }
});
