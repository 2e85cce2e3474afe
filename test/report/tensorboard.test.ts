// Event files, taken apart by a reader of their own: frames, checksums, protobuf fields.
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { crc32c, maskedCrc32c } from "../../src/report/crc32c.ts";
import { type EventFileOptions, openEventFile, tfRecord } from "../../src/report/tensorboard.ts";

const folder = () => mkdtempSync(join(tmpdir(), "events-"));
const bytes = (values: Iterable<number>) => Uint8Array.from(values);

test.each([
  ["32 zeros", bytes(Array(32).fill(0)), 0x8a9136aa],
  ["32 ones", bytes(Array(32).fill(0xff)), 0x62a8ab43],
  ["0 to 31", bytes(Array(32).keys()), 0x46dd794e],
  ["31 to 0", bytes([...Array(32).keys()].reverse()), 0x113fdb5c],
])("CRC-32C of RFC 3720, B.4: %s", (_, data, crc) => expect(crc32c(data)).toBe(crc));

test("CRC-32C of the usual check text", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(maskedCrc32c(bytes([]))).toBe(0xa282ead8);
});

test("a frame begins as those of TensorFlow's event files do", () => {
  // Length and checksum of the version event, 24 bytes: how every event file begins.
  const header = [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22];
  expect([...tfRecord(new Uint8Array(24)).subarray(0, 12)]).toEqual(header);
});

type Fields = Map<number, (number | Uint8Array)[]>;

/** Fields of a protobuf message: varints and floats as numbers, the rest as bytes. */
function fields(message: Uint8Array): Fields {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const result: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag & 7;
    const start = at;
    let value: number | Uint8Array;
    if (wire === 0) value = varint();
    else if (wire === 2) {
      const length = varint();
      value = message.slice(at, at + length);
      at += length;
    } else {
      value = wire === 1 ? view.getFloat64(start, true) : view.getFloat32(start, true);
      at += wire === 1 ? 8 : 4;
    }
    result.set(tag >> 3, [...(result.get(tag >> 3) ?? []), value]);
  }
  expect(at).toBe(message.length);
  return result;
}

/** The field at a path of field numbers, the first of each. */
function pick(message: Uint8Array, ...path: number[]): number | Uint8Array | undefined {
  return path.reduce<number | Uint8Array | undefined>(
    (value, id) => (value instanceof Uint8Array ? fields(value).get(id)?.[0] : undefined),
    message,
  );
}
const text = (value: number | Uint8Array | undefined) => Buffer.from(value as Uint8Array).toString("utf8");

/** The messages of an event file; every checksum is checked, by the definition of its mask. */
function events(path: string): Uint8Array[] {
  const file = readFileSync(path);
  const unmasked = (at: number) => {
    const rotated = (file.readUInt32LE(at) - 0xa282ead8) >>> 0;
    return ((rotated >>> 17) | (rotated << 15)) >>> 0;
  };
  const messages: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(unmasked(at + 8)).toBe(crc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(unmasked(at + 12 + length)).toBe(crc32c(data));
    messages.push(data);
    at += 16 + length;
  }
  return messages;
}

const open = (place: string, options: EventFileOptions = {}) =>
  openEventFile(place, { now: () => 1_700_000_000.5, ...options });

test("scalars, a picture and a text", async () => {
  const writer = await open(folder());
  const image = rgbImage(3, 2, bytes(Array(18).keys()));
  writer.scalars(7, { "train/loss": 0.25, "train/lr": 1e300 });
  await writer.image(2 ** 40, "samples", image);
  writer.text(9, "recipe", "**größe**");
  await writer.close();
  const [version, scalars, picture, note, ...rest] = events(writer.path);
  expect(rest).toEqual([]);

  expect(pick(version!, 1)).toBe(1_700_000_000.5);
  expect(text(pick(version!, 3))).toBe("brain.Event:2");

  expect(pick(scalars!, 2)).toBe(7);
  const values = fields(pick(scalars!, 5) as Uint8Array).get(1) as Uint8Array[];
  expect(values.map((value) => [text(pick(value, 1)), pick(value, 2)])).toEqual([
    ["train/loss", 0.25],
    ["train/lr", Number.POSITIVE_INFINITY],
  ]);

  expect(pick(picture!, 2)).toBe(2 ** 40);
  expect([1, 2, 3].map((id) => pick(picture!, 5, 1, 4, id))).toEqual([2, 3, 3]);
  const decoded = await decodeImage(pick(picture!, 5, 1, 4, 4) as Uint8Array);
  expect(decoded.data).toEqual(image.data);

  expect(text(pick(note!, 5, 1, 8, 8))).toBe("**größe**");
  expect(pick(note!, 5, 1, 8, 1)).toBe(7);
  expect(pick(note!, 5, 1, 8, 2, 2, 1)).toBe(1);
  expect(text(pick(note!, 5, 1, 9, 1, 1))).toBe("text");
});

test("a resumed run has a new file, which sorts last and hides what came after the step", async () => {
  const place = folder();
  const first = await open(place);
  first.scalars(12, { loss: 1 });
  await first.close();
  // The clock may have gone back meanwhile.
  const second = await open(place, { resumeAt: 10, now: () => 1_600_000_000 });
  second.scalars(11, { loss: 0.5 });
  await second.close();
  expect(
    readdirSync(place)
      .sort()
      .map((name) => join(place, name)),
  ).toEqual([first.path, second.path]);
  const [, start, scalar] = events(second.path);
  // SessionLog.status is START; TensorBoard drops steps from the event's own on.
  expect(pick(start!, 7, 1)).toBe(1);
  expect(pick(start!, 2)).toBe(11);
  expect(pick(scalar!, 2)).toBe(11);
});

test("a step that is no whole number is refused", async () => {
  const writer = await open(folder());
  expect(() => writer.scalars(1.5, { loss: 1 })).toThrow(expect.objectContaining({ code: "usage" }));
  await writer.close();
});
