// Builds ZIP archives for tests, sound ones by default, with any field of an entry made false on request.
import { crc32 } from "node:zlib";

/** An entry to write; fields given besides name and data replace the true ones in the central directory. */
export interface ZipPart {
  name: string;
  data: Uint8Array;
  method?: number;
  size?: number;
  compressedSize?: number;
  headerOffset?: number;
  crc32?: number;
  flags?: number;
  /** Keep size, compressed size and offset in a ZIP64 extra field. */
  zip64?: boolean;
}

/** The bytes of an archive. `data` is written as it is, so deflated entries must bring deflated data and `size`. */
export function buildZip(parts: readonly ZipPart[]): Uint8Array {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let at = 0;
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(part.method ?? 0, 8);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(part.flags ?? 0, 8);
    central.writeUInt16LE(part.method ?? 0, 10);
    central.writeUInt32LE(part.crc32 ?? crc32(part.data), 16);
    central.writeUInt32LE(part.compressedSize ?? part.data.length, 20);
    central.writeUInt32LE(part.size ?? part.data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(part.headerOffset ?? at, 42);
    const extra = Buffer.alloc(part.zip64 ? 28 : 0);
    if (part.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, field] of [24, 20, 42].entries()) {
        extra.writeBigUInt64LE(BigInt(central.readUInt32LE(field)), 4 + 8 * i);
        central.writeUInt32LE(0xffffffff, field);
      }
      central.writeUInt16LE(extra.length, 30);
    }
    locals.push(local, name, Buffer.from(part.data));
    centrals.push(central, name, extra);
    at += local.length + name.length + part.data.length;
  }
  const directory = Buffer.concat(centrals);
  const zip64 = parts.some((part) => part.zip64);
  const end64 = Buffer.alloc(zip64 ? 76 : 0); // the ZIP64 end record and its locator
  if (zip64) {
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(BigInt(parts.length), 32);
    end64.writeBigUInt64LE(BigInt(directory.length), 40);
    end64.writeBigUInt64LE(BigInt(at), 48);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(at + directory.length), 64);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : parts.length, 8);
  end.writeUInt16LE(zip64 ? 0xffff : parts.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : at, 16);
  return new Uint8Array(Buffer.concat([...locals, directory, end64, end]));
}
