// The doctor on real files: pictures in every state, folders, sheets, the command with its exit codes.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, expect, test } from "vitest";
import { command } from "../../src/cli/doctor.ts";
import { type Examination, examineDatasets, findAnnotationFiles } from "../../src/doctor/examine.ts";
import { bodyParts, readSides } from "../../src/doctor/left-right.ts";
import { reportText } from "../../src/doctor/report.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { runCli, runVerb, temporaryFolder } from "../helpers/cli.ts";
import { hasShared, shared } from "../helpers/shared.ts";
import { writeCocoFolder, writeMpiiFolder } from "../helpers/synthetic-data.ts";
import type { Loose } from "./good-sets.ts";

afterEach(() => {
  process.exitCode = undefined;
});

const COUNT = 8;
const ANNOTATIONS = ["annotations", "person_keypoints_val2017.json"];

/** A COCO folder of eight persons, its annotations changed. */
async function cocoFolder(change: (json: Loose, pictures: string) => unknown = () => {}): Promise<string> {
  const root = join(temporaryFolder(), "coco");
  await writeCocoFolder(root, COUNT);
  const path = join(root, ...ANNOTATIONS);
  const json = JSON.parse(readFileSync(path, "utf8"));
  await change(json, join(root, "val2017"));
  writeFileSync(path, JSON.stringify(json));
  return root;
}

const found = ({ findings }: Examination): string[] => findings.map(({ id }) => id);
const example = ({ findings }: Examination, id: string): string =>
  findings.find((finding) => finding.id === id)?.examples[0]?.text ?? `no ${id}`;

/** What any set of eight drawn persons brings. */
const USUAL = ["few-persons", "area-is-box", "image-without-annotations"];

test("a drawn set has nothing but what it must have", async () => {
  const [one] = await examineDatasets([await cocoFolder()]);
  expect(found(one!).filter((id) => !USUAL.includes(id))).toEqual([]);
  expect(one!.counts).toMatchObject({
    images: 9,
    annotations: 8,
    persons: 8,
    labelledKeypoints: 136,
    picturesRead: 9,
  });
});

test("pictures: missing, empty, cut, no picture, another size, turned, copied", async () => {
  const root = await cocoFolder(async (json, pictures) => {
    const at = (name: string): string => join(pictures, name);
    json.images[0].file_name = "1.PNG";
    writeFileSync(at("2.png"), "");
    writeFileSync(at("3.png"), readFileSync(at("3.png")).subarray(0, 900));
    writeFileSync(at("4.png"), "<html><body>404</body></html>");
    await sharp(at("6.png")).resize(48, 64).toFile(at("5.png"));
    rmSync(at("6.png"));
    // Stored lying, with the EXIF orientation that turns it upright: what a phone writes.
    const lying = await sharp(at("7.png")).rotate(90).jpeg().toBuffer();
    writeFileSync(at("7.jpg"), await sharp(lying).withMetadata({ orientation: 8 }).toBuffer());
    json.images[6].file_name = "7.jpg";
    copyFileSync(at("8.png"), at("9.png"));
    json.images.push({ id: 99, file_name: "9.png", width: 96, height: 128 });
  });
  const [one] = await examineDatasets([root]);
  expect(example(one!, "image-missing")).toMatch(/image 1 .*no .*1\.PNG, but there is 1\.png/);
  expect(example(one!, "image-empty")).toMatch(/image 2 /);
  const damaged = one!.findings.find(({ id }) => id === "image-damaged")!.examples.map(({ text }) => text);
  expect(damaged).toHaveLength(2);
  expect(damaged[0]).toMatch(/image 3 .*damaged or incomplete PNG/);
  expect(damaged[1]).toMatch(/image 4 .*HTML page/);
  expect(example(one!, "image-size")).toMatch(/image 5 .*annotated 96 × 128, the file has 48 × 64/);
  expect(example(one!, "persons-beyond-file")).toMatch(/image 5, /);
  expect(example(one!, "image-upright")).toMatch(/image 7 .*128 × 96, EXIF orientation 8/);
  expect(example(one!, "image-copy")).toMatch(/image 99 .*the same as image 8/);
  const [quick] = await examineDatasets([root], { quick: true });
  expect(found(quick!)).toEqual(
    expect.arrayContaining(["image-missing", "image-empty", "image-size", "image-upright"]),
  );
  expect(found(quick!)).not.toContain("image-copy");
});

test("a leak between sets is found by bytes, and by name and size when quick", async () => {
  const [train, val] = [
    await cocoFolder(),
    await cocoFolder((_, pictures) =>
      sharp({ create: { width: 96, height: 128, channels: 3, background: "red" } }).toFile(
        join(pictures, "8.png"),
      ),
    ),
  ];
  const files = [join(train, ...ANNOTATIONS), join(val, ...ANNOTATIONS)];
  const [first, second] = await examineDatasets(files);
  expect(first!.findings.find(({ id }) => id === "leak")!.count).toBe(COUNT); // all but the eighth: seven and the empty one
  expect(found(second!)).not.toContain("leak"); // said once
  const [quick] = await examineDatasets(files, { quick: true });
  expect(quick!.findings.find(({ id }) => id === "leak-likely")!.count).toBe(COUNT);
});

test("pictures that are nowhere, and annotations alone", async () => {
  const root = await cocoFolder();
  rmSync(join(root, "val2017"), { recursive: true });
  const [lost] = await examineDatasets([root]);
  expect(found(lost!)[0]).toBe("images-not-found");
  const [alone] = await examineDatasets([root], { images: false });
  expect(alone!.findings.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(reportText(alone!, 1)).toContain("Pictures were not looked at.");
});

test("file names never lead out of the folder of pictures", async () => {
  const root = await cocoFolder((json) => {
    json.images[0].file_name = `../annotations/${ANNOTATIONS[1]}`;
    json.images[1].file_name = "/etc/hostname";
  });
  const [one] = await examineDatasets([root]);
  expect(one!.findings.find(({ id }) => id === "file-name-outside")!.count).toBe(2);
  expect(one!.counts.picturesRead).toBe(COUNT - 1);
});

test("MPII folders, and picture sizes taken from the files", async () => {
  const root = temporaryFolder();
  await writeMpiiFolder(root, 6);
  const path = join(root, "annot", "valid.json");
  const json = JSON.parse(readFileSync(path, "utf8"));
  json[2].joints[4] = [300, 20];
  writeFileSync(path, JSON.stringify(json));
  expect(await findAnnotationFiles(root)).toEqual([path]); // truth.json is no data set
  const [one] = await examineDatasets([root]);
  expect(one!.format).toBe("mpii");
  expect(example(one!, "keypoint-outside-picture")).toMatch(
    /entry 2 .*left_knee at \[299, 19\], picture 96 × 128/,
  );
});

test("contact sheets show every person and finding, the same for the same seed", async () => {
  const root = await cocoFolder((json, pictures) => {
    json.annotations[0].area = 1;
    writeFileSync(join(pictures, "2.png"), "");
  });
  const out = join(root, "sheets");
  const sample = join(out, "person_keypoints_val2017-sample.jpg");
  const [one] = await examineDatasets([root], { out });
  expect(one!.sheets).toEqual([sample, join(out, "person_keypoints_val2017-findings.jpg")]);
  const image = await decodeImage(sample);
  // Eight cells of 300 with two lines of 20 below: six and two.
  expect([image.width, image.height]).toEqual([8 + 6 * 308, 8 + 2 * (300 + 42 + 8)]);
  const bytes = readFileSync(sample);
  await examineDatasets([root], { out });
  expect(readFileSync(sample).equals(bytes)).toBe(true);
});

test("the command: exit code, text, JSON", async () => {
  const good = await cocoFolder();
  const text = await runVerb(command(), good);
  expect(text).toContain("COCO keypoints, coco-17: 9 pictures, 8 annotations, 8 persons");
  expect(text).toMatch(/0 errors, 1 warning, 2 notes\. Good to train after a look at the warnings\.\n$/);
  expect(process.exitCode).toBeUndefined();

  const bad = await cocoFolder((json) =>
    json.annotations.forEach((a: Loose) => {
      a.area = 1;
    }),
  );
  const json = JSON.parse(await runVerb(command(), bad, "--json", "--examples", "2"));
  expect(process.exitCode).toBe(1);
  const tiny = json[0].findings.find(({ id }: { id: string }) => id === "area-tiny");
  expect(tiny).toMatchObject({ severity: "error", count: 8, total: 8, unit: "annotations" });
  expect(tiny.examples[0]).toMatchObject({ annotation: 1, image: 1, file: "1.png" });
});

test("as a process: 1 for unusable files, with what is needed", async () => {
  const root = temporaryFolder();
  mkdirSync(join(root, "annotations"));
  const file = join(root, "annotations", "captions_val2017.json");
  writeFileSync(
    file,
    JSON.stringify({ images: [], annotations: [{ id: 1, caption: "a dog" }], categories: [] }),
  );
  const [other, cut] = await Promise.all([
    runCli("doctor", root),
    (() => {
      const path = join(root, "cut.json");
      writeFileSync(path, '{"images": [');
      return runCli("doctor", path);
    })(),
  ]);
  expect(other.code).toBe(1);
  expect(other.stdout.replace(/\s+/g, " ")).toContain("Look for annotations/person_keypoints_val2017.json");
  expect(cut.code).toBe(1);
  expect(cut.stdout).toContain("is not JSON");
});

test("a set that is not there is an error of the call", async () => {
  await expect(examineDatasets(["/nowhere"])).rejects.toMatchObject({ code: "file-not-found" });
  await expect(examineDatasets([temporaryFolder()])).rejects.toMatchObject({ code: "file-not-found" });
});

const COCO_FILES = ["train2017", "val2017"].map((split) =>
  shared("data", "coco-sample", "annotations", `person_keypoints_${split}.json`),
);

test.skipIf(!hasShared("data", "coco-sample"))(
  "COCO's own annotations have no errors and no exchanged sides",
  async () => {
    const sets = await examineDatasets([shared("data", "coco-sample")]);
    expect(sets).toHaveLength(2);
    for (const set of sets) {
      expect(set.findings.filter(({ severity }) => severity === "error")).toEqual([]);
      expect(found(set).filter((id) => id.startsWith("sides-"))).toEqual([]);
    }
  },
);

test.skipIf(!hasShared("data", "coco-sample"))("exchanged sides of COCO's persons are recognised", () => {
  const parts = bodyParts(COCO_17.keypoints);
  const persons = COCO_FILES.filter(existsSync)
    .flatMap((file) => JSON.parse(readFileSync(file, "utf8")).annotations as Loose[])
    .map(({ keypoints }): number[] => keypoints);
  const exchanged = (keypoints: number[], from: number): number[] =>
    Array.from({ length: 17 }, (_, k) => (k < from || k === 0 ? k : k % 2 === 1 ? k + 1 : k - 1)).flatMap(
      (k) => keypoints.slice(3 * k, 3 * k + 3),
    );
  const kinds = (keypoints: number[]): string[] =>
    readSides(keypoints, parts).evidence.map(({ kind }) => kind);
  const readable = persons.filter((keypoints) => readSides(keypoints, parts).face === "right");
  expect(readable.length).toBeGreaterThan(15);
  for (const person of readable) expect(kinds(exchanged(person, 1))).toContain("face");
  // Face and trunk from the front: exchanged from the shoulders down.
  const frontal = readable.filter((keypoints) => readSides(keypoints, parts).trunk === "front");
  expect(frontal.length).toBeGreaterThan(5);
  for (const person of frontal) expect(kinds(exchanged(person, 5))).toContain("body");
});

test("Pascal VOC's folder: boxes are examined, broken files listed", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "Annotations"));
  const xml = (name: string, box: readonly number[]): string =>
    `<annotation><filename>${name}.jpg</filename><size><width>100</width><height>80</height></size>` +
    `<object><name>cell</name><bndbox>${["xmin", "ymin", "xmax", "ymax"].map((key, i) => `<${key}>${box[i]}</${key}>`).join("")}</bndbox></object></annotation>`;
  writeFileSync(join(folder, "Annotations", "good.xml"), xml("good", [10, 10, 50, 60]));
  writeFileSync(join(folder, "Annotations", "outside.xml"), xml("outside", [90, 10, 150, 60]));
  writeFileSync(join(folder, "Annotations", "broken.xml"), "<annotation><size>");
  const [examination] = await examineDatasets([folder], { images: false });
  expect(examination).toMatchObject({ format: "instances", counts: { images: 2, annotations: 2 } });
  const found = examination!.findings.map(({ id }) => id);
  expect(found).toContain("object-beyond-picture");
  const faults = examination!.findings.flatMap(({ examples }) => examples.map(({ text }) => text));
  expect(faults.some((text) => text.startsWith("broken.xml"))).toBe(true);
});
