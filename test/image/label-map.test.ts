// Label maps as PNG: what other programs write, what comes back, and what is refused.
import { readdirSync, readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { Color } from "../../src/image/draw.ts";
import { decodeLabelMap, encodeLabelMap } from "../../src/image/label-map.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const labels = Uint8Array.from({ length: 7 * 5 }, (_, i) => (i * 5) % 11);
const PALETTE: readonly Color[] = Array.from({ length: 11 }, (_, c) => [
  c * 20,
  255 - c * 20,
  c % 2 ? 255 : 0,
]);

test("come back from an indexed PNG, which others see in colours", async () => {
  const png = encodeLabelMap({ width: 7, height: 5, data: labels }, PALETTE);
  expect(decodeLabelMap(png, "x.png")).toEqual({ width: 7, height: 5, data: labels, palette: PALETTE });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([7, 5, 3]);
  for (const [i, label] of labels.entries())
    expect([...data.subarray(3 * i, 3 * i + 3)]).toEqual(PALETTE[label]);
});

test("of many classes come back from a grey PNG of 16 bits", () => {
  const data = Uint16Array.from(labels, (label) => label * 40);
  const palette = Array.from({ length: 500 }, (): Color => [0, 0, 0]);
  const png = encodeLabelMap({ width: 7, height: 5, data }, palette);
  expect(decodeLabelMap(png, "x.png")).toEqual({ width: 7, height: 5, data });
});

test("grey PNG from elsewhere", async () => {
  const png = await sharp(labels, { raw: { width: 7, height: 5, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
  expect(decodeLabelMap(png, "x.png").data).toEqual(labels);
});

/** A PNG written by hand: one chunk for each of its parts. */
function pngOf(width: number, height: number, depth: number, color: number, rows: Uint8Array): Uint8Array {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const [length, sum] = [data.length, crc32(body)].map((number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(number);
      return bytes;
    }) as [Buffer, Buffer];
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, color, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", header),
    ...(color === 3 ? [chunk("PLTE", new Uint8Array(3 * 2 ** depth))] : []),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

describe.each([1, 2, 4] as const)("%i bits a sample", (bits) => {
  test.each([
    ["grey", 0],
    ["indexed", 3],
  ])("%s", (_, color) => {
    const [width, height] = [7, 5];
    const expected = labels.map((label) => label % 2 ** bits);
    const rowBytes = Math.ceil((width * bits) / 8);
    const rows = new Uint8Array(height * (rowBytes + 1)); // each begins with its filter, 0: none
    expected.forEach((label, i) => {
      const first = (i % width) * bits;
      const at = Math.floor(i / width) * (rowBytes + 1) + 1 + (first >> 3);
      rows[at]! |= label << (8 - bits - (first & 7));
    });
    expect(decodeLabelMap(pngOf(width, height, bits, color, rows), "x.png")).toEqual({
      width,
      height,
      data: expected,
      // Written by hand above: black for every number.
      ...(color === 3 && { palette: Array.from({ length: 2 ** bits }, () => [0, 0, 0]) }),
    });
  });
});

test("refuses what holds no class numbers", async () => {
  const rgb = sharp({ create: { width: 4, height: 4, channels: 3, background: "red" } });
  const codeOf = (bytes: Uint8Array, limit?: number): unknown => {
    try {
      return decodeLabelMap(bytes, "x", limit);
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(codeOf(await rgb.clone().png().toBuffer())).toBe("invalid-data");
  expect(codeOf(await rgb.clone().jpeg().toBuffer())).toBe("invalid-image");
  const png = encodeLabelMap({ width: 7, height: 5, data: labels }, PALETTE);
  expect(codeOf(png, 34)).toBe("limit-exceeded");
  expect(codeOf(png.subarray(0, png.length - 20))).toBe("invalid-image");
  expect(codeOf(new Uint8Array(0))).toBe("invalid-image");
  expect(() => encodeLabelMap({ width: 7, height: 4, data: labels }, PALETTE)).toThrow(/28 numbers; 35/);
});

test.skipIf(!hasShared("data", "camvid"))("CamVid's labels are classes 0 to 11", () => {
  const folder = shared("data", "camvid", "labels", "val");
  const [first] = readdirSync(folder);
  const { width, height, data } = decodeLabelMap(readFileSync(`${folder}/${first}`), first!);
  expect([width, height]).toEqual([480, 360]);
  expect(Array.from(data).every((label) => label <= 11)).toBe(true);
});
