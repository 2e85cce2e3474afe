// Writes TensorBoard event files: scalars, pictures and texts as protobuf events in TFRecord frames.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { HRNetError } from "../errors.ts";
import { encodeImage } from "../image/encode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { openAppendFile } from "./append-file.ts";
import { maskedCrc32c } from "./crc32c.ts";

/** An event file open for writing. Values of one tag and rising steps are a curve. */
export interface EventWriter {
  readonly path: string;
  /** One point of each curve; `/` in a tag groups curves: `train/loss`. Steps are whole numbers. */
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** A picture, kept as PNG. */
  image(step: number, tag: string, image: RgbImage): Promise<void>;
  /** A text in Markdown. */
  text(step: number, tag: string, markdown: string): void;
  /** Waits until all is on the disk. @throws HRNetError `write-failed` */
  flush(): Promise<void>;
  /** Flushes and closes; further calls do nothing. @throws HRNetError `write-failed` */
  close(): Promise<void>;
}

/** Options of {@link openEventFile}. */
export interface EventFileOptions {
  /** Step the run continues from: TensorBoard hides what earlier files in the folder say of later ones. */
  readonly resumeAt?: number;
  /** Events are written after at most this long. Default 2. */
  readonly flushSeconds?: number;
  /** Seconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

/** What TensorBoard looks for in names, and the seconds by which it sorts the files of a run. */
const EVENT_FILE = /tfevents\.(\d{1,15})/;

/** Field numbers of `tensorflow/core/util/event.proto` and `tensorflow/core/framework/summary.proto`, `tensor.proto`. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 };
const SUMMARY = { value: 1 };
const VALUE = { tag: 1, simpleValue: 2, image: 4, tensor: 8, metadata: 9 };
const IMAGE = { height: 1, width: 2, colorspace: 3, encoded: 4 };
const TENSOR = { dtype: 1, shape: 2, strings: 8 };
const SHAPE = { dim: 2 };
const DIM = { size: 1 };
const METADATA = { pluginData: 1 };
const PLUGIN = { name: 1 };
const SESSION_LOG = { status: 1 };

/** `SessionLog.START`: from here on, events of this step and later in earlier files do not count. */
const SESSION_START = 1;
/** `DataType.DT_STRING`. */
const STRING_TYPE = 7;
const RGB = 3;

type Build = (message: BinaryWriter) => unknown;

const message = (writer: BinaryWriter, field: number, build: Build): BinaryWriter => {
  writer.tag(field, WireType.LengthDelimited).fork();
  build(writer);
  return writer.join();
};
const text = (writer: BinaryWriter, field: number, value: string): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).string(value);
const integer = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(value);

function event(time: number, step: number, build: Build): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(EVENT.wallTime, WireType.Bit64).double(time);
  integer(writer, EVENT.step, step);
  build(writer);
  return writer.finish();
}

const scalarValue = (summary: BinaryWriter, tag: string, value: number): BinaryWriter =>
  message(summary, SUMMARY.value, (item) =>
    // What overflows float32 is infinite; the encoder would refuse it.
    text(item, VALUE.tag, tag).tag(VALUE.simpleValue, WireType.Bit32).float(Math.fround(value)),
  );

const imageValue = (summary: BinaryWriter, tag: string, { width, height }: RgbImage, png: Uint8Array) =>
  message(summary, SUMMARY.value, (item) => {
    text(item, VALUE.tag, tag);
    message(item, VALUE.image, (image) => {
      integer(image, IMAGE.height, height);
      integer(image, IMAGE.width, width);
      integer(image, IMAGE.colorspace, RGB);
      image.tag(IMAGE.encoded, WireType.LengthDelimited).bytes(png);
    });
  });

/** The text plugin takes a string tensor of one element. */
const textValue = (summary: BinaryWriter, tag: string, markdown: string) =>
  message(summary, SUMMARY.value, (item) => {
    text(item, VALUE.tag, tag);
    message(item, VALUE.tensor, (tensor) => {
      integer(tensor, TENSOR.dtype, STRING_TYPE);
      message(tensor, TENSOR.shape, (shape) => message(shape, SHAPE.dim, (dim) => integer(dim, DIM.size, 1)));
      text(tensor, TENSOR.strings, markdown);
    });
    message(item, VALUE.metadata, (metadata) =>
      message(metadata, METADATA.pluginData, (plugin) => text(plugin, PLUGIN.name, "text")),
    );
  });

/**
 * One TFRecord frame: length (8 bytes, little-endian), its masked CRC-32C, the data, the data's masked CRC-32C.
 * Source: `tensorflow/core/lib/io/record_writer.cc`.
 */
export function tfRecord(data: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(data.length + 16);
  frame.writeBigUInt64LE(BigInt(data.length), 0);
  frame.writeUInt32LE(maskedCrc32c(frame.subarray(0, 8)), 8);
  frame.set(data, 12);
  frame.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return frame;
}

/**
 * Starts a new event file in `folder`. TensorBoard shows all files of a folder as one run.
 * @throws HRNetError `write-failed`; the methods throw `usage` when a step is no whole number from 0 on
 */
export async function openEventFile(folder: string, options: EventFileOptions = {}): Promise<EventWriter> {
  const { resumeAt, now = () => Date.now() / 1000, ...appending } = options;
  const seconds = Math.max(Math.floor(now()), (await latestStamp(folder)) + 1);
  const name = `events.out.tfevents.${String(seconds).padStart(10, "0")}.hrnet`;
  const file = await openAppendFile(join(folder, name), { ...appending, fresh: true });
  const append = (step: number, build: Build): void => {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new HRNetError("usage", `An event's step is a whole number from 0 on, not ${step}.`);
    }
    file.append(tfRecord(event(now(), step, build)));
  };
  append(0, (e) => text(e, EVENT.fileVersion, "brain.Event:2"));
  if (resumeAt !== undefined) {
    // TensorBoard keeps what is below the step of START.
    append(resumeAt + 1, (e) =>
      message(e, EVENT.sessionLog, (log) => integer(log, SESSION_LOG.status, SESSION_START)),
    );
  }
  const summary = (step: number, build: Build): void => append(step, (e) => message(e, EVENT.summary, build));

  return {
    path: file.path,
    scalars: (step, values) =>
      summary(step, (s) => {
        for (const [tag, value] of Object.entries(values)) scalarValue(s, tag, value);
      }),
    image: async (step, tag, image) => {
      const png = await encodeImage(image, "png");
      summary(step, (s) => imageValue(s, tag, image, png));
    },
    text: (step, tag, markdown) => summary(step, (s) => textValue(s, tag, markdown)),
    flush: file.flush,
    close: file.close,
  };
}

/** Seconds of the folder's latest event file: the new one must sort behind it even if the clock went back. */
async function latestStamp(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  return Math.max(0, ...names.map((name) => Number(EVENT_FILE.exec(name)?.[1] ?? 0)));
}
