// What a file is by its first bytes: one of the formats we decode, or words for what it looks like instead.

/** Formats that `decodeImage` decodes. */
export type ImageFormat = "jpeg" | "png" | "webp" | "avif" | "tiff" | "gif";

/** A signature: bytes given in Latin-1 at an offset. */
interface Signature {
  readonly at: number;
  readonly bytes: string;
}

const IMAGE_SIGNATURES: readonly (readonly [ImageFormat, readonly Signature[]])[] = [
  ["jpeg", [{ at: 0, bytes: "\xff\xd8\xff" }]],
  ["png", [{ at: 0, bytes: "\x89PNG\r\n\x1a\n" }]],
  [
    "webp",
    [
      { at: 0, bytes: "RIFF" },
      { at: 8, bytes: "WEBP" },
    ],
  ],
  ["gif", [{ at: 0, bytes: "GIF8" }]],
  ["tiff", [{ at: 0, bytes: "II*\0" }]],
  ["tiff", [{ at: 0, bytes: "MM\0*" }]],
  ["tiff", [{ at: 0, bytes: "II+\0" }]],
  ["tiff", [{ at: 0, bytes: "MM\0+" }]],
];

/** What people pass by mistake, and what to tell them. */
const OTHER_SIGNATURES: readonly (readonly [string, Signature])[] = [
  ["a PDF document", { at: 0, bytes: "%PDF" }],
  ["a BMP picture, which is not supported: convert it to PNG", { at: 0, bytes: "BM" }],
  ["a Photoshop document: export it as PNG or TIFF", { at: 0, bytes: "8BPS" }],
  ["a JPEG XL picture, which is not supported: convert it to JPEG or PNG", { at: 0, bytes: "\xff\x0a" }],
  ["a JPEG XL picture, which is not supported: convert it to JPEG or PNG", { at: 4, bytes: "JXL " }],
  ["a JPEG 2000 picture, which is not supported: convert it to JPEG or PNG", { at: 4, bytes: "jP  " }],
  ["a video (WebM or Matroska): extract its frames first", { at: 0, bytes: "\x1aE\xdf\xa3" }],
  ["a video (AVI): extract its frames first", { at: 8, bytes: "AVI " }],
  ["a ZIP archive: unpack it first", { at: 0, bytes: "PK\x03\x04" }],
  ["a gzip archive: unpack it first", { at: 0, bytes: "\x1f\x8b" }],
  [
    "a Git LFS pointer: run `git lfs pull` to get the picture itself",
    { at: 0, bytes: "version https://git-lfs" },
  ],
];

/** Brands of ISO media files (the `ftyp` box) that hold HEVC-coded pictures. */
const HEIC_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx"];
/** Enough for every signature and for the brands of an `ftyp` box. */
const HEAD_BYTES = 512;

/** The format by signature; undefined when it is none that we decode. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  const head = headOf(bytes);
  const found = IMAGE_SIGNATURES.find(([, signatures]) => signatures.every((one) => matches(head, one)));
  if (found !== undefined) return found[0];
  const brands = mediaBrands(head);
  return brands.includes("avif") || brands.includes("avis") ? "avif" : undefined;
}

/** Words for bytes that {@link sniffFormat} does not know: `an HTML page`, `a video …`. */
export function describeBytes(bytes: Uint8Array): string {
  const head = headOf(bytes);
  const other = OTHER_SIGNATURES.find(([, signature]) => matches(head, signature));
  if (other !== undefined) return other[0];
  const brands = mediaBrands(head);
  if (brands.some((brand) => HEIC_BRANDS.includes(brand))) {
    return "a HEIC picture (HEVC-coded, as iPhones take them), which is not supported: convert it to JPEG";
  }
  if (brands.length > 0) return "a video (MP4 or QuickTime): extract its frames first";
  if (/^\s*(<!doctype html|<html)/i.test(head))
    return "an HTML page: the address leads to a page, not to a picture";
  if (/^\s*(<\?xml|<svg|<!--)/i.test(head)) {
    return /<svg/i.test(head)
      ? "an SVG drawing, which has no pixels: render it to PNG first"
      : "an XML document";
  }
  if (/^\s*[{[]\s*["{[\]}\d]/.test(head)) return "JSON text";
  if (/^\0+$/.test(head)) return "nothing but zero bytes: the file was never written completely";
  if (/^[\t\n\r\x20-\x7e]+$/.test(head)) return `text that begins with ${JSON.stringify(head.slice(0, 24))}`;
  const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `data of an unknown kind (it begins with bytes ${start})`;
}

/** Major and compatible brands of an ISO media file; empty for anything else. */
function mediaBrands(head: string): string[] {
  if (head.slice(4, 8) !== "ftyp") return [];
  const size = [0, 1, 2, 3].reduce((sum, index) => sum * 256 + head.charCodeAt(index), 0);
  const box = head.slice(8, Math.min(size, head.length));
  return (box.match(/[\s\S]{4}/g) ?? []).filter((_, index) => index !== 1); // the second word is a version number
}

function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString("latin1");
}

function matches(head: string, { at, bytes }: Signature): boolean {
  return head.startsWith(bytes, at);
}
