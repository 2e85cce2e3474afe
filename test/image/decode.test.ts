// Decoding: every format, colour kind, orientation and source; every bad input with one clear error.
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import {
  DEFAULT_MAX_PIXELS,
  type DecodeOptions,
  decodeImage,
  type ImageSource,
} from "../../src/image/decode.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";
import { drawnPerson } from "../helpers/synthetic-data.ts";

/** 6×4, every pixel another colour: orientation and channel order show. */
const SMALL = rgbImage(
  6,
  4,
  Uint8Array.from({ length: 72 }, (_, i) => (i * 37) % 256),
);
const PHOTO = drawnPerson(96, 128, 1).image;

const pipeline = ({ width, height, data }: RgbImage) => sharp(data, { raw: { width, height, channels: 3 } });
const pixel = ({ data, width }: RgbImage, x: number, y: number) => [
  ...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3),
];

async function failure(source: ImageSource, options?: DecodeOptions): Promise<HRNetError> {
  const error: unknown = await decodeImage(source, options).then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(HRNetError);
  return error as HRNetError;
}

function meanDifference(a: RgbImage, b: RgbImage): number {
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hrnet-decode-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("formats", () => {
  test.each(["png", "tiff", "webp", "gif", "jpeg", "avif"] as const)("%s", async (format) => {
    const options = { lossless: true, quality: 100, compression: "lzw", chromaSubsampling: "4:4:4" };
    const bytes =
      format === "tiff"
        ? await pipeline(PHOTO).tiff({ compression: "lzw" }).toBuffer()
        : await pipeline(PHOTO)
            .toFormat(
              format,
              format === "jpeg" ? { quality: 100 } : format === "gif" || format === "png" ? {} : options,
            )
            .toBuffer();
    const lossless = format !== "jpeg" && format !== "gif" && format !== "avif";
    expect(meanDifference(await decodeImage(bytes), PHOTO)).toBeLessThanOrEqual(lossless ? 0 : 4);
  });

  test("the first frame of an animation and the first page of a TIFF", async () => {
    const frames = Buffer.concat([PHOTO.data, Buffer.alloc(PHOTO.data.length)]);
    const { width, height } = PHOTO;
    const animated = (format: "gif" | "webp") =>
      sharp(frames, { raw: { width, height: 2 * height, channels: 3, pageHeight: height } })
        .toFormat(format)
        .toBuffer();
    for (const format of ["gif", "webp"] as const) {
      expect(meanDifference(await decodeImage(await animated(format)), PHOTO)).toBeLessThan(5);
    }
  });
});

test.each(["baseline-420", "progressive-444-p3", "cmyk"])(
  "%s.jpg decodes as OpenCV 4.6 does, bit for bit",
  async (name) => {
    const expected = await decodeImage(fixture("image", `${name}.opencv.png`));
    expect(await decodeImage(fixture("image", `${name}.jpg`))).toEqual(expected);
  },
);

describe("colours", () => {
  test("grey, 16 bits and palette", async () => {
    const grey = await sharp(Buffer.from([0, 50, 100, 255]), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toBuffer();
    expect([...(await decodeImage(grey)).data]).toEqual([0, 0, 0, 50, 50, 50, 100, 100, 100, 255, 255, 255]);

    const deep = Uint16Array.from({ length: 12 }, (_, i) => i * 5461);
    const png16 = await sharp(deep, { raw: { width: 2, height: 2, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(png16).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(png16)).data]).toEqual([...deep].map((value) => value >> 8));

    const palette = await pipeline(SMALL).png({ palette: true, effort: 1 }).toBuffer();
    expect(meanDifference(await decodeImage(palette), SMALL)).toBeLessThan(10);
  });

  test("alpha shows the background: white, or what is asked for", async () => {
    const rgba = {
      width: 3,
      height: 1,
      data: Uint8Array.of(200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 51),
    };
    const png = await sharp(rgba.data, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    for (const source of [png, rgba]) {
      const white = await decodeImage(source);
      expect([pixel(white, 0, 0), pixel(white, 1, 0)]).toEqual([
        [200, 100, 0],
        [255, 255, 255],
      ]);
      const black = await decodeImage(source, { background: [0, 0, 0] });
      expect(pixel(black, 1, 0)).toEqual([0, 0, 0]);
      pixel(black, 2, 0).forEach((value, c) => {
        expect(Math.abs(value - [40, 20, 0][c]!)).toBeLessThanOrEqual(1);
      });
    }
  });

  test("CMYK: through its profile, or without one as inks on white paper", async () => {
    const cmyk = pipeline(PHOTO).toColourspace("cmyk");
    const withProfile = await cmyk.clone().withIccProfile("cmyk").jpeg({ quality: 100 }).toBuffer();
    expect(await sharp(withProfile).metadata()).toMatchObject({ space: "cmyk", hasProfile: true });
    expect(meanDifference(await decodeImage(withProfile), PHOTO)).toBeLessThan(12); // the gamut is smaller

    const without = await cmyk.clone().jpeg({ quality: 100 }).toBuffer();
    expect(await sharp(without).metadata()).toMatchObject({ space: "cmyk", hasProfile: false });
    const inks = await sharp(without).pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer();
    const { data } = await decodeImage(without);
    data.forEach((value, i) => {
      const at = 4 * Math.floor(i / 3);
      const expected = ((255 - inks[at + (i % 3)]!) * (255 - inks[at + 3]!)) / 255;
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(2);
    });
  });

  test("an embedded profile of RGB pixels is not applied", async () => {
    const png = await pipeline(SMALL).withIccProfile("p3").png().toBuffer();
    const stored = await sharp(png, { ignoreIcc: true }).raw().toBuffer();
    expect((await sharp(png).metadata()).hasProfile).toBe(true);
    expect((await decodeImage(png)).data).toEqual(Uint8Array.from(stored));
  });
});

describe("orientation", () => {
  /** Where the upright pixel (x, y) of a picture stored as 6×4 comes from, by the EXIF standard. */
  const STORED: Record<number, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [5 - x, y],
    3: (x, y) => [5 - x, 3 - y],
    4: (x, y) => [x, 3 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, 3 - x],
    7: (x, y) => [5 - y, 3 - x],
    8: (x, y) => [5 - y, x],
  };
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("EXIF %d", async (orientation) => {
    const tagged = () => pipeline(SMALL).withMetadata({ orientation });
    const files = [
      await tagged().png().toBuffer(),
      await tagged().webp({ lossless: true }).toBuffer(),
      await tagged().tiff({ compression: "lzw" }).toBuffer(),
    ];
    for (const bytes of files) {
      const upright = await decodeImage(bytes);
      expect([upright.width, upright.height]).toEqual(orientation < 5 ? [6, 4] : [4, 6]);
      for (let y = 0; y < upright.height; y++) {
        for (let x = 0; x < upright.width; x++) {
          expect(pixel(upright, x, y)).toEqual(pixel(SMALL, ...STORED[orientation]!(x, y)));
        }
      }
      expect(await decodeImage(bytes, { orientation: "ignore" })).toEqual(SMALL);
    }
  });
});

describe("sources", () => {
  test("path, file URL, data URL, bytes, Blob, streams and pixels give the same picture", async () => {
    const png = await encodeImage(SMALL, "png");
    const path = join(folder, "small picture.png");
    await writeFile(path, png);
    const sources: ImageSource[] = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      `data:image/png;base64,${Buffer.from(png).toString("base64")}`,
      png,
      Buffer.from(png),
      Uint8Array.from(png).buffer,
      new Blob([Uint8Array.from(png)]),
      createReadStream(path, { highWaterMark: 16 }),
      Readable.from([Buffer.from(png)]),
      new Blob([Uint8Array.from(png)]).stream(),
      SMALL,
      { ...SMALL, data: new Uint8ClampedArray(SMALL.data) },
    ];
    for (const source of sources) {
      const { width, height, data } = await decodeImage(source);
      expect([width, height, [...data]]).toEqual([6, 4, [...SMALL.data]]);
    }
  });

  test("grey pixels spread; pixels that fit no channels are refused", async () => {
    expect([...(await decodeImage({ width: 2, height: 1, data: Uint8Array.of(3, 9) })).data]).toEqual([
      3, 3, 3, 9, 9, 9,
    ]);
    expect((await failure({ width: 2, height: 2, data: new Uint8Array(5) })).message).toMatch(
      /2×2 with 5 bytes/,
    );
    expect((await failure({ width: 0, height: 0, data: new Uint8Array(0) })).code).toBe("invalid-image");
    expect((await failure({ width: 1, height: 1, data: new Uint8Array(3), channels: 4 })).message).toMatch(
      /not the 4/,
    );
  });

  describe("over HTTP", () => {
    let server: Server;
    let base: string;
    beforeAll(async () => {
      const png = await encodeImage(PHOTO, "png");
      server = createServer((request, response) => {
        if (request.url === "/ok") response.end(png);
        else if (request.url === "/moved") response.writeHead(302, { location: "/ok" }).end();
        else if (request.url === "/page") response.end("<!DOCTYPE html><title>no picture</title>");
        else if (request.url === "/stall") response.write(png.subarray(0, 100));
        else if (request.url === "/endless") Readable.from(endless()).pipe(response);
        else if (request.url === "/cut") {
          response.writeHead(200, { "content-length": png.length });
          response.write(png.subarray(0, 100), () => response.destroy());
        } else response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });
    function* endless() {
      for (;;) yield Buffer.alloc(65536);
    }

    test("a picture, also behind a redirect", async () => {
      expect(await decodeImage(`${base}/ok`)).toEqual(PHOTO);
      expect((await decodeImage(new URL(`${base}/moved`))).width).toBe(PHOTO.width);
    });

    test.each<[string, string, RegExp, DecodeOptions?]>([
      ["/missing", "file-not-found", /missing: the server answered 404/],
      ["/page", "invalid-image", /an HTML page/],
      ["/stall", "read-failed", /within 0.2 s \(option timeoutMs\)/, { timeoutMs: 200 }],
      ["/endless", "limit-exceeded", /limit is 1.0 MiB \(option maxBytes\)/, { maxBytes: 2 ** 20 }],
      ["/cut", "read-failed", /broke off|cannot be fetched/],
    ])("%s → %s", async (path, code, message, options) => {
      const error = await failure(base + path, options);
      expect(error.message).toMatch(message);
      expect(error.code).toBe(code);
    });

    test("no server, and a caller who cancels", async () => {
      expect((await failure("http://127.0.0.1:1/x.jpg")).message).toMatch(/cannot be fetched.*/);
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 50);
      expect((await failure(`${base}/stall`, { signal: abort.signal })).code).toBe("aborted");
    });
  });
});

describe("bad inputs", () => {
  const jpeg = () => pipeline(PHOTO).jpeg({ quality: 95 }).toBuffer();

  test("files: missing, folder, empty, unreadable", async () => {
    expect(await failure(join(folder, "none.jpg"))).toMatchObject({ code: "file-not-found" });
    expect((await failure(folder)).message).toMatch(/is a folder/);
    const empty = join(folder, "empty.jpg");
    await writeFile(empty, "");
    expect((await failure(empty)).message).toMatch(/empty.jpg is empty \(0 bytes\)/);
    expect((await failure("s3://bucket/a.jpg")).message).toMatch(/"s3:" is not supported/);
    expect((await failure(3 as unknown as string)).code).toBe("usage");
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ["HTML", "\n<!DOCTYPE html><html>", /an HTML page/],
    ["SVG", `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`, /an SVG drawing/],
    ["SVG with a prolog", `<?xml version="1.0"?><svg width="9" height="9"/>`, /an SVG drawing/],
    ["PDF", "%PDF-1.7", /a PDF document/],
    ["JSON", `{"error": "no"}`, /JSON text/],
    ["LFS", "version https://git-lfs.github.com/spec/v1", /git lfs pull/],
    ["text", "hello", /text that begins with "hello"/],
    ["MP4", "\0\0\0\x18ftypisom\0\0\0\0isommp42", /a video \(MP4/],
    ["HEIC", "\0\0\0\x18ftypheic\0\0\0\0mif1heic", /a HEIC picture/],
    ["HEIC by compatible brand", "\0\0\0\x18ftypmif1\0\0\0\0mif1heic", /a HEIC picture/],
    ["BMP", "BM\0\0\0\0\0\0", /a BMP picture/],
    ["zeros", "\0\0\0\0\0\0\0\0", /nothing but zero bytes/],
    ["noise", Uint8Array.of(1, 2, 3, 250), /begins with bytes 01 02 03 fa/],
  ])("%s is called by its name", async (_, content, message) => {
    const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
    const error = await failure(bytes);
    expect(error.code).toBe("invalid-image");
    expect(error.message).toMatch(message);
  });

  test.each(["jpeg", "png", "webp", "tiff", "gif", "avif"] as const)(
    "a truncated %s is refused",
    async (format) => {
      const whole = await pipeline(PHOTO).toFormat(format).toBuffer();
      for (const part of [0.97, 0.5]) {
        const error = await failure(whole.subarray(0, Math.floor(whole.length * part)));
        expect(error.message).toMatch(new RegExp(`damaged or incomplete ${format}`, "i"));
      }
    },
  );

  test("a truncated JPEG can be accepted, and is right as far as it goes", async () => {
    const whole = await jpeg();
    const half = await decodeImage(whole.subarray(0, whole.length / 2), { truncated: "accept" });
    const top = { ...PHOTO, height: 20, data: PHOTO.data.slice(0, 20 * PHOTO.width * 3) };
    expect(
      meanDifference({ ...half, height: 20, data: half.data.slice(0, top.data.length) }, top),
    ).toBeLessThan(5);
  });

  test("a header that promises too many pixels is refused before decoding", async () => {
    for (const [width, height] of [
      [10_000, 10_000],
      [2 ** 31 - 1, 2],
    ] as const) {
      const start = performance.now();
      const error = await failure(pngHeader(width, height));
      expect(performance.now() - start).toBeLessThan(1000);
      expect(["limit-exceeded", "invalid-image"]).toContain(error.code);
      if (width === 10_000) {
        expect(error).toMatchObject({ code: "limit-exceeded" });
        expect(error.message).toMatch(
          /10000×10000 = 100.0 megapixels, the limit is 67.1 \(option maxPixels\)/,
        );
      }
    }
    const limit = PHOTO.width * PHOTO.height;
    expect((await decodeImage(await jpeg(), { maxPixels: limit })).width).toBe(PHOTO.width);
    expect((await failure(await jpeg(), { maxPixels: limit - 1 })).code).toBe("limit-exceeded");
    expect(DEFAULT_MAX_PIXELS).toBeLessThan(100e6);
  });

  test("too many bytes, by every way in", async () => {
    const bytes = await jpeg();
    const path = join(folder, "large.jpg");
    await writeFile(path, bytes);
    const dataUrl = `data:image/jpeg;base64,${bytes.toString("base64")}`;
    for (const source of [bytes, path, dataUrl, new Blob([Uint8Array.from(bytes)]), Readable.from([bytes])]) {
      expect((await failure(source, { maxBytes: 100 })).code).toBe("limit-exceeded");
    }
  });

  test("limits that are no positive numbers", async () => {
    for (const options of [{ maxPixels: Number.NaN }, { maxBytes: 0 }, { timeoutMs: -1 }]) {
      expect(await failure(await jpeg(), options)).toMatchObject({ code: "usage" });
    }
  });

  test("streams of text, streams that fail, and a signal that was given too late", async () => {
    expect((await failure(Readable.from(["abc"]))).message).toMatch(/string chunks/);
    async function* broken() {
      yield await jpeg();
      throw new Error("cable pulled");
    }
    expect((await failure(broken())).message).toMatch(/broke off: cable pulled/);
    expect((await failure(await jpeg(), { signal: AbortSignal.abort() })).code).toBe("aborted");
  });

  test("random damage never does anything but decode or fail cleanly", async () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    for (const format of ["jpeg", "png", "webp", "gif", "tiff"] as const) {
      const whole = await pipeline(SMALL).toFormat(format).toBuffer();
      for (let i = 0; i < 40; i++) {
        const bytes = Buffer.from(whole);
        for (let k = 0; k < 4; k++)
          bytes[8 + Math.floor(random() * (bytes.length - 8))] = Math.floor(random() * 256);
        await decodeImage(bytes).catch((error) => expect(error).toBeInstanceOf(HRNetError));
      }
    }
  });
});

describe("encodeImage", () => {
  test.each(["png", "jpeg", "webp"] as const)("%s reads back", async (format) => {
    const bytes = await encodeImage(PHOTO, format, 95);
    expect((await sharp(bytes).metadata()).format).toBe(format);
    expect(meanDifference(await decodeImage(bytes), PHOTO)).toBeLessThanOrEqual(format === "png" ? 0 : 3);
  });

  test("a quality or size out of range is an error", async () => {
    await expect(encodeImage(PHOTO, "jpeg", 0)).rejects.toThrow(/jpeg with quality 0/);
    await expect(encodeImage(rgbImage(16_400, 1), "webp")).rejects.toThrow(/16400×1/);
  });
});

describe.skipIf(!hasShared("data", "photos"))("real photos", () => {
  test("sizes as listed, upright where the flag says so", async () => {
    const size = async (name: string, options?: DecodeOptions) => {
      const { width, height } = await decodeImage(shared("data", "photos", name), options);
      return `${width}×${height}`;
    };
    expect(await size("portrait-exif6.jpg")).toBe("958×1358");
    expect(await size("portrait-exif6.jpg", { orientation: "ignore" })).toBe("1358×958");
    expect(await size("bike-shop-cmyk.jpg")).toBe("500×334");
    expect(await size("lifeboat-gray.jpg")).toBe("500×346");
    expect(await size("dinner.webp")).toBe("640×422");
    expect(await size("street-snow-12mp.jpg")).toBe("4032×3024");
  });
});

/** A PNG whose header is valid and whose pixel data is a few zero bytes. */
function pngHeader(width: number, height: number): Buffer {
  const chunk = (type: string, body: Buffer) => {
    const typed = Buffer.concat([Buffer.from(type, "latin1"), body]);
    const frame = Buffer.alloc(8 + typed.length);
    frame.writeUInt32BE(body.length, 0);
    typed.copy(frame, 4);
    frame.writeUInt32BE(crc32(typed), 4 + typed.length);
    return frame;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(64))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
