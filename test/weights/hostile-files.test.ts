// Malicious, damaged and mistaken files: each gives one clear HRNetError, quickly, and nothing is ever executed.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { type ByteSource, memorySource } from "../../src/weights/byte-source.ts";
import { unpickle } from "../../src/weights/pickle.ts";
import { PickleReader } from "../../src/weights/pickle-reader.ts";
import { readCheckpoint, readCheckpointSource } from "../../src/weights/read-checkpoint.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import { WRAPPER_KEYS } from "../../src/weights/state-dict.ts";
import { readZipDirectory, readZipEntry } from "../../src/weights/zip-archive.ts";
import { fixture } from "../helpers/shared.ts";
import { buildZip, type ZipPart } from "./build-zip.ts";

const bytesOfFixture = (name: string) => new Uint8Array(readFileSync(fixture("weights", name)));
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

async function failure(work: Promise<unknown>): Promise<HRNetError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HRNetError);
  return error as HRNetError;
}

const openBytes = (bytes: Uint8Array) => readCheckpointSource(memorySource(bytes));

/** A torch.save archive around any pickle. */
function archive(pickle: Uint8Array, ...more: ZipPart[]): Uint8Array {
  return buildZip([{ name: "m/data.pkl", data: pickle }, ...more]);
}

const short = (text: string) => `\x8c${String.fromCharCode(text.length)}${text}`;
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return `J${bytes.toString("latin1")}`;
};
const tuple = (...items: string[]) => `(${items.join("")}t`;

/** The pickle of `{"w": tensor}` over storage "0" of `numel` floats. */
function tensorPickle(numel: number, offset: string, size: string, stride: string): Uint8Array {
  const storage = `${tuple(short("storage"), "ctorch\nFloatStorage\n", short("0"), short("cpu"), int32(numel))}Q`;
  const args = tuple(storage, offset, size, stride, "\x89", "}");
  return latin1(`\x80\x02}${short("w")}ctorch._utils\n_rebuild_tensor_v2\n${args}Rs.`);
}

const FOUR_FLOATS: ZipPart = { name: "m/data/0", data: new Uint8Array(16) };

describe("pickles that would run code", () => {
  const marker = join(tmpdir(), `hrnet-pickle-${process.pid}`);
  test.each([
    ["posix.system", `cposix\nsystem\n${tuple(short(`touch ${marker}`))}R.`],
    ["os.system", `cos\nsystem\n${tuple(short(`touch ${marker}`))}R.`],
    ["builtins.eval", `${short("builtins")}${short("eval")}\x93${tuple(short("1"))}R.`],
    ["__builtin__.eval", `c__builtin__\neval\n${tuple(short("1"))}R.`],
    ["builtins.getattr", `cbuiltins\ngetattr\n(tR.`],
    ["os.system", `(S'id'\nios\nsystem\n.`],
    ["os.system", `(cos\nsystem\n${short("id")}o.`],
    ["subprocess.Popen", `csubprocess\nPopen\n)\x81.`],
    ["torch.load", `ctorch\nload\n)R.`],
    ["torch.storage._load_from_bytes", `ctorch.storage\n_load_from_bytes\n)R.`],
    ["numpy.core.multiarray._reconstruct", `cnumpy.core.multiarray\n_reconstruct\n)R.`],
    ["mmengine.logging.history_buffer.HistoryBuffer", `cmmengine.logging.history_buffer\nHistoryBuffer\n)R.`],
    ["constructor.constructor", `cconstructor\nconstructor\n)R.`],
    ["torch.__proto__", `ctorch\n__proto__\n)R.`],
  ])("%s is refused by name", async (name, pickle) => {
    const error = await failure(openBytes(archive(latin1(`\x80\x04${pickle}`))));
    expect(error.code).toBe("invalid-checkpoint");
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toContain("never executes code");
    expect(existsSync(marker)).toBe(false);
  });

  test("a whole model, a TorchScript program and complex tensors say what to do", async () => {
    expect((await failure(openBytes(bytesOfFixture("whole_model.pth")))).message).toMatch(
      /torch\.nn\.modules\.container\.Sequential.*whole pickled model.*state_dict\(\)/,
    );
    expect((await failure(openBytes(bytesOfFixture("torchscript.pt")))).message).toMatch(/TorchScript/);
    expect((await failure(openBytes(bytesOfFixture("complex.pth")))).message).toMatch(/ComplexFloatStorage/);
  });
});

describe("tensors that lie", () => {
  test("the honest one is read", async () => {
    const bytes = archive(tensorPickle(4, "K\x00", tuple("K\x04"), tuple("K\x01")), FOUR_FLOATS);
    expect((await openBytes(bytes)).stateDict.get("w")?.shape).toEqual([4]);
  });
  test.each([
    ["a negative size", 4, "K\x00", tuple(int32(-1)), tuple("K\x01")],
    ["a negative stride", 4, "K\x03", tuple("K\x04"), tuple(int32(-1))],
    ["a negative offset", 4, int32(-1), tuple("K\x01"), tuple("K\x01")],
    ["an offset behind the storage", 4, "K\x04", tuple("K\x01"), tuple("K\x01")],
    ["a size behind the storage", 4, "K\x00", tuple("K\x05"), tuple("K\x01")],
    ["a stride behind the storage", 4, "K\x00", tuple("K\x02"), tuple("K\x04")],
    ["a storage larger than stored", 5, "K\x00", tuple("K\x05"), tuple("K\x01")],
    ["a negative storage", -4, "K\x00", tuple("K\x01"), tuple("K\x01")],
    ["fewer strides than sizes", 4, "K\x00", tuple("K\x02", "K\x02"), tuple("K\x01")],
    ["a size in words", 4, "K\x00", tuple(short("4")), tuple("K\x01")],
    ["2^60 elements of stride 0", 4, "K\x00", tuple("\x8a\x08\0\0\0\0\0\0\0\x10"), tuple("K\x00")],
    ["2^50 elements of stride 0", 4, "K\x00", tuple("\x8a\x07\0\0\0\0\0\0\x04"), tuple("K\x00")],
    [
      "sizes whose product overflows",
      4,
      "K\x00",
      `(${int32(2 ** 31 - 1).repeat(16)}t`,
      `(${"K\x00".repeat(16)}t`,
    ],
  ])("%s", async (_, numel, offset, size, stride) => {
    await failure(openBytes(archive(tensorPickle(numel, offset, size, stride), FOUR_FLOATS)));
  });

  test("a shape changed behind the check has no effect", async () => {
    // The size list is remembered, used, and then appended to.
    const size = "(K\x04lq\x05";
    const storage = `${tuple(short("storage"), "ctorch\nFloatStorage\n", short("0"), short("cpu"), int32(4))}Q`;
    const args = tuple(storage, "K\x00", size, tuple("K\x01"), "\x89", "}");
    const pickle = `\x80\x02}${short("w")}ctorch._utils\n_rebuild_tensor_v2\n${args}R${`h\x05${int32(99)}a0`}s.`;
    const { stateDict } = await openBytes(archive(latin1(pickle), FOUR_FLOATS));
    expect(stateDict.get("w")?.shape).toEqual([4]);
  });
});

describe("pickles that would exhaust memory or stack", () => {
  test.each([
    ["a string of 4 GB", "X\xff\xff\xff\xff"],
    ["bytes of 2^63", "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"],
    ["an integer of 2 GB", "\x8b\xff\xff\xff\x7f"],
    ["a million marks", "(".repeat(1_000_000)],
    ["two million values", "N".repeat(2_000_000)],
    ["five million operations", "N0".repeat(2_500_000)],
    [
      "one list copied for ever",
      `(${"N".repeat(500_000)}tp0\n${"cbuiltins\nset\ng0\n\x85R0".repeat(1000)}N.`,
    ],
    ["an unknown opcode", "\xff"],
    ["an extension code", "\x82\x01."],
    ["an unknown protocol", "\x80\x09."],
    ["a recalled value that never was", "h\x01."],
    ["a tuple of nothing", "\x87."],
    ["an append to a number", "K\x01K\x02a."],
    ["values left over", "NN."],
    ["no end", "N"],
    ["nothing", ""],
    ["a number in words", "Ifive\n."],
    ["a line that never ends", `I${"1".repeat(10_000)}`],
  ])("%s", async (_, pickle) => {
    const started = performance.now();
    const error = await failure(openBytes(archive(latin1(pickle))));
    expect(error.code).toBe("invalid-checkpoint");
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("building one list over and over is cut off early", async () => {
    const copies = "cbuiltins\nlist\ng0\n\x85R0".repeat(1000);
    const error = await failure(openBytes(archive(latin1(`(${"N".repeat(500_000)}tp0\n${copies}.`))));
    expect(error.message).toMatch(/again and again/);
  });

  test("a hundred thousand nested lists and a cycle are no weights, and no stack overflow", async () => {
    const nested = `]${"\x85".repeat(100_000)}.`;
    expect((await failure(openBytes(archive(latin1(nested))))).message).toMatch(/No weights/);
    const cycle = `}q\x00${["state_dict", "model", "net"].map((key) => `${short(key)}h\x00s`).join("")}.`;
    expect((await failure(openBytes(archive(latin1(cycle))))).message).toMatch(/No weights.*"state_dict"/);
    // Every wrapper key leads back to the dict itself, which a thousand other keys name too.
    const keys = [...WRAPPER_KEYS, ...Array.from({ length: 1000 }, (_, i) => `k${i}`)];
    const web = `}q\x00${keys.map((key) => `${short(key)}h\x00s`).join("")}.`;
    const started = performance.now();
    await failure(openBytes(archive(latin1(web))));
    expect(performance.now() - started).toBeLessThan(1000);
    const device = `ctorch\ndevice\n${tuple(short("cpu"), `]${"\x85".repeat(100_000)}`)}R.`;
    await failure(openBytes(archive(latin1(device))));
  });
});

describe("archives that lie", () => {
  const good: ZipPart = { name: "a", data: latin1("hello") };
  const zeros = deflateRawSync(new Uint8Array(50 * 2 ** 20));
  const deflated: ZipPart = {
    name: "z",
    data: deflateRawSync(latin1("hello")),
    method: 8,
    size: 5,
    crc32: 0x3610a686,
  };

  const readAll = async (bytes: Uint8Array) => {
    const source = memorySource(bytes);
    for (const entry of (await readZipDirectory(source)).values()) await readZipEntry(source, entry);
  };

  test("stored and deflated entries are read", async () => {
    for (const zip64 of [false, true]) {
      const source = memorySource(buildZip([{ ...good, zip64 }, deflated]));
      const entries = await readZipDirectory(source);
      for (const name of ["a", "z"]) {
        expect(Buffer.from(await readZipEntry(source, entries.get(name)!)).toString()).toBe("hello");
      }
    }
  });

  test.each<[string, ZipPart[], RegExp]>([
    ["a ZIP bomb", [{ name: "b", data: zeros, method: 8, size: 50 * 2 ** 20 }], /ZIP bomb/],
    ["a bomb that declares little", [{ name: "b", data: zeros, method: 8, size: 1000 }], /decompressed/],
    ["a size too large", [{ ...deflated, size: 6 }], /decompressed/],
    ["a stored size that differs", [{ ...good, size: 6 }], /declares/],
    ["an entry behind the end", [{ ...good, compressedSize: 500, size: 500 }], /overlaps/],
    ["overlapping entries", [good, { name: "b", data: latin1("x".repeat(50)), headerOffset: 3 }], /overlaps/],
    ["a name twice", [good, good], /two entries/],
    ["a wrong checksum", [{ ...good, crc32: 1 }], /checksum/],
    ["encryption", [{ ...good, flags: 1 }], /encrypted/],
    ["another method", [{ ...good, method: 12 }], /method 12/],
    ["damaged data", [{ ...deflated, data: latin1("\xff\xff\xff\xff") }], /decompressed/],
  ])("%s", async (_, parts, message) => {
    expect((await failure(readAll(buildZip(parts)))).message).toMatch(message);
  });

  test("an archive of something else, and big-endian weights", async () => {
    expect(
      (await failure(openBytes(buildZip([{ name: "word/document.xml", data: latin1("x") }])))).message,
    ).toMatch(/data\.pkl.*word\/document\.xml/);
    const big = archive(latin1("}."), { name: "m/byteorder", data: latin1("big") });
    expect((await failure(openBytes(big))).message).toMatch(/byte order/);
  });
});

describe("files that are something else", () => {
  const tar = Buffer.alloc(512);
  tar.write("sys_info");
  tar.write("ustar", 257);
  test.each<[string, Uint8Array, RegExp]>([
    ["empty", new Uint8Array(), /empty/],
    ["a web page", latin1("\n<!DOCTYPE html><html>Sign in"), /web page/],
    [
      "a Git LFS pointer",
      latin1("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
      /git lfs pull/,
    ],
    ["ONNX", latin1("\x08\x07\x12\x07pytorch\x1a\x051.13"), /ONNX/],
    ["HDF5", latin1("\x89HDF\r\n\x1a\n\0\0"), /HDF5/],
    ["old tar", new Uint8Array(tar), /tar archive/],
    ["gzip", latin1("\x1f\x8b\x08\0"), /gzip/],
    ["a JSON error", latin1('{"error":"not found"}'), /JSON/],
    ["a picture", latin1("\xff\xd8\xff\xe0"), /picture/],
    ["an array", latin1("\x93NUMPY\x01\0"), /NumPy/],
    ["a plain pickle", latin1("\x80\x04]."), /plain Python pickle/],
    ["noise", latin1("qwertyuiop"), /no checkpoint format/],
  ])("%s", async (_, bytes, message) => {
    const error = await failure(openBytes(bytes));
    expect(error.code).toBe("invalid-checkpoint");
    expect(error.message).toMatch(message);
  });

  test("missing files, folders and the path in the message", async () => {
    expect((await failure(readCheckpoint("/nowhere/x.pth"))).code).toBe("file-not-found");
    expect((await failure(readCheckpoint(tmpdir()))).code).toBe("read-failed");
    const folder = mkdtempSync(join(tmpdir(), "hostile-"));
    try {
      writeFileSync(join(folder, "page.pth"), "<html>");
      expect((await failure(readCheckpoint(join(folder, "page.pth")))).message).toMatch(
        /page\.pth: It is a web page/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** mulberry32: a small seeded generator of numbers in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Result or HRNetError; anything else fails the test. */
async function attempt(source: ByteSource, label: string): Promise<boolean> {
  try {
    await readCheckpointSource(source);
    return true;
  } catch (error) {
    if (!(error instanceof HRNetError)) expect.fail(`${label}: ${String(error)}`);
    return false;
  }
}

describe("damage anywhere", () => {
  const safetensors = () =>
    new Uint8Array(
      Buffer.concat(
        encodeSafetensors([["a", { dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) }]], {
          k: "v",
        }),
      ),
    );
  const files: [string, () => Uint8Array][] = [
    ["kinds.pth", () => bytesOfFixture("kinds.pth")],
    ["kinds_legacy.pth", () => bytesOfFixture("kinds_legacy.pth")],
    ["meta_legacy_protocol1.pth", () => bytesOfFixture("meta_legacy_protocol1.pth")],
    ["meta_protocol5.pth", () => bytesOfFixture("meta_protocol5.pth")],
    ["safetensors", safetensors],
  ];

  test.each(files)("%s cut short is an error wherever it is cut", async (name, read) => {
    const bytes = read();
    for (let length = 0; length < bytes.length; length += Math.max(1, Math.floor(bytes.length / 200))) {
      expect(await attempt(memorySource(bytes.subarray(0, length)), `${name} cut at ${length}`)).toBe(false);
    }
  });

  test.each(files)("%s with bytes changed gives a result or an HRNetError", async (name, read) => {
    const original = read();
    const next = random(original.length);
    for (let round = 0; round < 1500; round++) {
      const bytes = original.slice();
      const changes = 1 + Math.floor(next() * 4);
      for (let i = 0; i < changes; i++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      await attempt(memorySource(bytes), `${name} round ${round}`);
    }
  });

  test("a pickle changed under a correct checksum gives a result or an HRNetError", async () => {
    const source = memorySource(bytesOfFixture("kinds.pth"));
    const parts: ZipPart[] = [];
    for (const entry of (await readZipDirectory(source)).values()) {
      parts.push({ name: entry.name, data: await readZipEntry(source, entry) });
    }
    const pickle = parts.find((part) => part.name.endsWith("data.pkl"))!;
    const next = random(5);
    let read = 0;
    for (let round = 0; round < 3000; round++) {
      const data = pickle.data.slice();
      const changes = 1 + Math.floor(next() * 3);
      for (let i = 0; i < changes; i++) data[Math.floor(next() * data.length)] = Math.floor(next() * 256);
      const mutated = parts.map((part) => (part === pickle ? { ...part, data } : part));
      if (await attempt(memorySource(buildZip(mutated)), `round ${round}`)) read += 1;
    }
    expect(read).toBeGreaterThan(0);
  });

  test("random opcodes give a value or an HRNetError", () => {
    const opcodes = latin1(
      "(.012FGIJKLMNQRSTUVXabcdeghijlopqrstu)]}\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x93\x94",
    );
    const next = random(11);
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from({ length: 40 }, () => opcodes[Math.floor(next() * opcodes.length)]!);
      try {
        unpickle(new PickleReader(bytes));
      } catch (error) {
        if (!(error instanceof HRNetError)) expect.fail(`round ${round}: ${String(error)}`);
      }
    }
  });
});
