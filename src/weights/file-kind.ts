// Tells from its first bytes what a file is: a checkpoint, or something that is often mistaken for one.

/** Formats that can be opened. */
export type ReadableKind = "zip" | "pickle" | "safetensors";

/** What a file looks like: a readable kind, or advice on what it is instead. */
export type FileKind = { readonly kind: ReadableKind } | { readonly kind: "other"; readonly advice: string };

/** The magic number of PyTorch's legacy format where it was saved with pickle protocol 0 or 1. */
const TEXT_MAGIC = "L119547037146038801333356L";

/** Bytes of the file's beginning that {@link fileKind} wants to see. */
export const HEAD_BYTES = 512;

const DOWNLOAD_AGAIN = "Open its link in a browser, or download it with the tool its site offers.";

/** Signatures in the order they are tried. `text` is the head, lower case, as latin1 without leading white space. */
const OTHER_KINDS: readonly {
  matches: (head: Uint8Array, text: string) => boolean;
  advice: string;
}[] = [
  {
    matches: (_, text) => /^(ï»¿)?(<!doctype|<html|<\?xml|<head|<!--)/.test(text),
    advice: `It is a web page: the download gave a page (a login, a warning, "not found") instead of the file. ${DOWNLOAD_AGAIN}`,
  },
  {
    matches: (_, text) => text.startsWith("version https://git-lfs"),
    advice:
      'It is a Git LFS pointer, a short text that stands for the file. Run "git lfs pull" in its repository.',
  },
  {
    matches: (head) => startsWith(head, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a]),
    advice: "It is an HDF5 file (Keras). Only PyTorch and safetensors checkpoints can be opened.",
  },
  {
    matches: (head) =>
      asciiAt(head, 257, 5) === "ustar" || /^(sys_info|pickle|storages|tensors)\0/.test(asciiAt(head, 0, 10)),
    advice:
      "It is a tar archive: torch.save before PyTorch 0.1.10 wrote such files, or a checkpoint is packed inside. Unpack " +
      "it, or load it in PyTorch and save it again.",
  },
  {
    matches: (head) => startsWith(head, [0x1f, 0x8b]),
    advice: "It is compressed with gzip. Unpack it first (gunzip, or tar xzf).",
  },
  {
    matches: (head) => startsWith(head, [0x37, 0x7a, 0xbc, 0xaf]) || asciiAt(head, 0, 4) === "Rar!",
    advice: "It is a 7z or RAR archive. Unpack it first.",
  },
  {
    matches: (head) => startsWith(head, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]),
    advice: "It is a single NumPy array (.npy), not a checkpoint.",
  },
  {
    matches: (head) => asciiAt(head, 4, 4) === "TFL3",
    advice: "It is a TensorFlow Lite model. Only PyTorch and safetensors checkpoints can be opened.",
  },
  {
    matches: (head) => startsWith(head, [0x89, 0x50, 0x4e, 0x47]) || startsWith(head, [0xff, 0xd8, 0xff]),
    advice: "It is a picture. Give the checkpoint file here.",
  },
  {
    matches: (head) => head[0] === 0x08 && head[1] === 0x01 && head[2] === 0x12,
    advice: "It is a TensorFlow SavedModel. Only PyTorch and safetensors checkpoints can be opened.",
  },
  {
    // ModelProto: ir_version (field 1), then producer_name, graph or opset_import.
    matches: (head) =>
      head[0] === 0x08 && (head[1] ?? 0) < 0x40 && [0x12, 0x1a, 0x22, 0x3a, 0x42].includes(head[2] ?? 0),
    advice: "It is an ONNX model, already complete: run it as it is. Importing needs the PyTorch checkpoint.",
  },
  {
    matches: (_, text) => /^[{[]/.test(text),
    advice: `It is a JSON text, perhaps an error message of the server. ${DOWNLOAD_AGAIN}`,
  },
];

function startsWith(head: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => head[i] === byte);
}

function asciiAt(head: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...head.subarray(start, start + length));
}

/** A safetensors file begins with its header's length (u64, far below 2^40) and `{`. */
function looksLikeSafetensors(head: Uint8Array): boolean {
  return head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0;
}

/**
 * What the file that begins with `head` is.
 * @param head the first {@link HEAD_BYTES} bytes, fewer for a shorter file
 */
export function fileKind(head: Uint8Array): FileKind {
  if (head.length === 0) return { kind: "other", advice: "It is empty. Download or copy it again." };
  if (startsWith(head, [0x50, 0x4b, 0x03, 0x04])) return { kind: "zip" };
  if (head[0] === 0x80 && (head[1] as number) <= 5) return { kind: "pickle" };
  if (asciiAt(head, 0, TEXT_MAGIC.length) === TEXT_MAGIC) return { kind: "pickle" };
  if (looksLikeSafetensors(head)) return { kind: "safetensors" };
  const text = asciiAt(head, 0, 64).trimStart().toLowerCase();
  const advice =
    OTHER_KINDS.find((kind) => kind.matches(head, text))?.advice ??
    "It begins like no checkpoint format that is known (PyTorch's ZIP and legacy files, safetensors). Check that it is " +
      "the right file and that it arrived whole.";
  return { kind: "other", advice };
}
