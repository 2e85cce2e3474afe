// A restricted unpickler: builds tensors, numbers, strings and containers from Python pickles and refuses all else.
// Opcodes: CPython's Lib/pickletools.py; what PyTorch writes: torch/serialization.py.

import { invalidCheckpoint } from "./byte-source.ts";
import { allowedGlobal, callCost, callGlobal, refusal, setState } from "./pickle-globals.ts";
import type { PickleReader } from "./pickle-reader.ts";
import { describeValue, isRecord, type PickleValue } from "./pickle-values.ts";

/** Resolves a persistent id: in PyTorch's files, the tuple that names a storage. */
export type PersistentLoad = (id: PickleValue, fail: (problem: string) => never) => PickleValue;

/** A W48 training checkpoint with optimizer state needs about 300,000. */
const MAX_OPERATIONS = 4_000_000;
/** PyTorch writes dicts and lists in batches of 1000, so its stacks stay in the thousands. */
const MAX_STACK = 1_000_000;
/** Python's own recursion limit keeps real files under 1000. */
const MAX_NESTING = 1000;
/** int64 and uint64 need 9 bytes. */
const MAX_LONG_BYTES = 64;
/** Items that calls may copy from their arguments, all together: a short pickle could build one long list over and over. */
const MAX_COPIED = 16_000_000;
const HIGHEST_PROTOCOL = 5;

/** The machine the opcodes run on. */
class Unpickler {
  readonly reader: PickleReader;
  readonly persistentLoad: PersistentLoad | undefined;
  readonly stack: PickleValue[] = [];
  readonly marks: number[] = [];
  readonly memo = new Map<number, PickleValue>();
  #copied = 0;
  readonly fail = (problem: string): never => this.reader.fail(problem);

  constructor(reader: PickleReader, persistentLoad: PersistentLoad | undefined) {
    this.reader = reader;
    this.persistentLoad = persistentLoad;
  }

  run(): PickleValue {
    for (let operations = 0; operations < MAX_OPERATIONS; operations++) {
      const code = this.reader.uint8();
      if (code === STOP) {
        const value = this.pop();
        if (this.stack.length > 0 || this.marks.length > 0) this.fail("values are left over at its end.");
        return value;
      }
      const operation = OPERATIONS.get(code);
      if (operation === undefined) {
        return this.fail(`0x${code.toString(16).padStart(2, "0")} is no opcode that checkpoints use.`);
      }
      operation(this);
    }
    return this.fail(`it has more than ${MAX_OPERATIONS} operations.`);
  }

  push(value: PickleValue): void {
    if (this.stack.length >= MAX_STACK) this.fail(`more than ${MAX_STACK} values wait on its stack.`);
    this.stack.push(value);
  }

  /** The lowest stack position that belongs to the innermost mark. */
  get #floor(): number {
    return this.marks.at(-1) ?? 0;
  }

  pop(): PickleValue {
    if (this.stack.length <= this.#floor) this.fail("it takes a value from an empty stack.");
    return this.stack.pop() as PickleValue;
  }

  top(): PickleValue {
    if (this.stack.length <= this.#floor) this.fail("it reads a value from an empty stack.");
    return this.stack.at(-1) as PickleValue;
  }

  mark(): void {
    if (this.marks.length >= MAX_NESTING) this.fail(`its values are nested more than ${MAX_NESTING} deep.`);
    this.marks.push(this.stack.length);
  }

  /** Removes and returns everything above the innermost mark. */
  popMark(): PickleValue[] {
    const mark = this.marks.pop() ?? this.fail("it ends a group that was never begun.");
    return this.stack.splice(mark);
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    this.push(value === undefined ? this.fail(`it recalls value ${index}, which was never stored.`) : value);
  }

  list(): PickleValue[] {
    const value = this.top();
    return Array.isArray(value) ? value : this.fail(`it appends to ${describeValue(value)}.`);
  }

  dict(): Map<PickleValue, PickleValue> {
    const value = this.top();
    return value instanceof Map ? value : this.fail(`it sets an item of ${describeValue(value)}.`);
  }

  setItems(target: Map<PickleValue, PickleValue>, items: readonly PickleValue[]): void {
    if (items.length % 2 !== 0) this.fail("a dict has a key without a value.");
    for (let i = 0; i < items.length; i += 2)
      target.set(items[i] as PickleValue, items[i + 1] as PickleValue);
  }

  global(module: PickleValue, name: PickleValue): void {
    const named = typeof module === "string" && typeof name === "string";
    const [home, own] = named ? [module, name] : this.fail("a global is named by two strings.");
    const allowed = allowedGlobal(home, own);
    if (allowed === undefined) {
      throw invalidCheckpoint(`At byte ${this.reader.position} ${refusal(home, own)}`);
    }
    this.push({ kind: "name", name: allowed });
  }

  call(callee: PickleValue, args: PickleValue): void {
    this.#copied += callCost(args);
    if (this.#copied > MAX_COPIED) this.fail("it builds the same large values again and again.");
    this.push(callGlobal(callee, args, this.fail));
  }

  persistent(id: PickleValue): void {
    if (this.persistentLoad === undefined) this.fail("it refers to storages where none can be.");
    else this.push(this.persistentLoad(id, this.fail));
  }

  /** A little-endian two's complement integer of `length` bytes. */
  long(length: number): void {
    if (length > MAX_LONG_BYTES) this.fail(`an integer claims ${length} bytes.`);
    const bytes = this.reader.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    this.push(asInteger(BigInt.asIntN(length * 8, value)));
  }

  decimal(text: string): PickleValue {
    if (!/^[+-]?\d{1,200}L?$/.test(text)) return this.fail(`${JSON.stringify(text)} is no whole number.`);
    return asInteger(BigInt(text.replace(/[+L]/g, "")));
  }

  decimalIndex(): number {
    const index = this.decimal(this.reader.line());
    return typeof index === "number" ? index : this.fail("a memo index is out of range.");
  }
}

function asInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** A quoted Python 2 string literal of protocol 0. */
function quotedString(machine: Unpickler, text: string): string {
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote) {
    return machine.fail("a string is not quoted.");
  }
  return text
    .slice(1, -1)
    .replace(/\\x([0-9a-fA-F]{2})|\\(.)/g, (whole, hex: string | undefined, escaped: string) =>
      hex === undefined ? (SIMPLE_ESCAPES[escaped] ?? whole) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** Python's raw-unicode-escape: only \uXXXX and \UXXXXXXXX are special. */
function rawUnicode(machine: Unpickler, text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long ?? "", 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : machine.fail("a character is out of range.");
  });
}

/** INT of protocol 0 also carries booleans, as `00` and `01`. */
function textInteger(machine: Unpickler): PickleValue {
  const line = machine.reader.line();
  return line === "00" ? false : line === "01" ? true : machine.decimal(line);
}

function textFloat(machine: Unpickler): number {
  const line = machine.reader.line();
  const special = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY }[line];
  if (special === undefined && !/^[+-]?\d+\.?\d*(e[+-]?\d+)?$/i.test(line)) {
    machine.fail(`${JSON.stringify(line)} is no number.`);
  }
  return special ?? Number(line);
}

function addToSet(machine: Unpickler): void {
  const items = machine.popMark();
  const target = machine.top();
  const set = target instanceof Set ? target : machine.fail(`it adds items to ${describeValue(target)}.`);
  for (const item of items) set.add(item);
}

function tuple(machine: Unpickler, length: number): void {
  const items = Array.from({ length }, () => machine.pop());
  machine.push(items.reverse());
}

/** OBJ: the name first above the mark is called with the rest. */
function callMarked(machine: Unpickler): void {
  const [callee, ...args] = machine.popMark();
  machine.call(callee ?? null, args);
}

const STOP = 0x2e;

/** What each opcode does, by its byte. */
const OPERATIONS: ReadonlyMap<number, (m: Unpickler) => void> = new Map<number, (m: Unpickler) => void>([
  [
    0x80,
    (m) => {
      const protocol = m.reader.uint8(); // PROTO
      if (protocol > HIGHEST_PROTOCOL) m.fail(`pickle protocol ${protocol} is unknown.`);
    },
  ],
  [0x95, (m) => void m.reader.uint64()], // FRAME: only a hint for buffering
  [0x28, (m) => m.mark()], // MARK
  [
    0x30,
    (m) => {
      // POP: also ends an empty group
      if (m.marks.at(-1) === m.stack.length) m.marks.pop();
      else m.pop();
    },
  ],
  [0x31, (m) => void m.popMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP

  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x49, (m) => m.push(textInteger(m))], // INT
  [0x4c, (m) => m.push(m.decimal(m.reader.line()))], // LONG
  [0x4a, (m) => m.push(m.reader.int32())], // BININT
  [0x4b, (m) => m.push(m.reader.uint8())], // BININT1
  [0x4d, (m) => m.push(m.reader.uint16())], // BININT2
  [0x8a, (m) => m.long(m.reader.uint8())], // LONG1
  [0x8b, (m) => m.long(m.reader.uint32())], // LONG4
  [0x46, (m) => m.push(textFloat(m))], // FLOAT
  [0x47, (m) => m.push(m.reader.float64BigEndian())], // BINFLOAT

  // Python 2 strings are bytes: latin1 keeps each of them.
  [0x53, (m) => m.push(quotedString(m, m.reader.line()))], // STRING
  [0x54, (m) => m.push(m.reader.text(m.reader.uint32(), "latin1"))], // BINSTRING
  [0x55, (m) => m.push(m.reader.text(m.reader.uint8(), "latin1"))], // SHORT_BINSTRING
  [0x56, (m) => m.push(rawUnicode(m, m.reader.line()))], // UNICODE
  [0x58, (m) => m.push(m.reader.text(m.reader.uint32(), "utf8"))], // BINUNICODE
  [0x8c, (m) => m.push(m.reader.text(m.reader.uint8(), "utf8"))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.reader.text(m.reader.uint64(), "utf8"))], // BINUNICODE8
  [0x42, (m) => m.push(m.reader.bytes(m.reader.uint32()))], // BINBYTES
  [0x43, (m) => m.push(m.reader.bytes(m.reader.uint8()))], // SHORT_BINBYTES
  [0x8e, (m) => m.push(m.reader.bytes(m.reader.uint64()))], // BINBYTES8
  [0x96, (m) => m.push(m.reader.bytes(m.reader.uint64()))], // BYTEARRAY8

  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.popMark())], // LIST
  [
    0x61,
    (m) => {
      const value = m.pop(); // APPEND
      m.list().push(value);
    },
  ],
  [
    0x65,
    (m) => {
      const items = m.popMark(); // APPENDS
      const list = m.list();
      for (const item of items) list.push(item);
    },
  ],
  [0x29, (m) => m.push([])], // EMPTY_TUPLE
  [0x74, (m) => m.push(m.popMark())], // TUPLE
  [0x85, (m) => tuple(m, 1)], // TUPLE1
  [0x86, (m) => tuple(m, 2)], // TUPLE2
  [0x87, (m) => tuple(m, 3)], // TUPLE3
  [0x7d, (m) => m.push(new Map())], // EMPTY_DICT
  [
    0x64,
    (m) => {
      const dict = new Map<PickleValue, PickleValue>(); // DICT
      m.setItems(dict, m.popMark());
      m.push(dict);
    },
  ],
  [
    0x73,
    (m) => {
      const value = m.pop(); // SETITEM
      const key = m.pop();
      m.setItems(m.dict(), [key, value]);
    },
  ],
  [
    0x75,
    (m) => {
      const items = m.popMark(); // SETITEMS
      m.setItems(m.dict(), items);
    },
  ],
  [0x8f, (m) => m.push(new Set())], // EMPTY_SET
  [0x90, addToSet], // ADDITEMS
  [0x91, (m) => m.push(new Set(m.popMark()))], // FROZENSET

  [0x67, (m) => m.recall(m.decimalIndex())], // GET
  [0x68, (m) => m.recall(m.reader.uint8())], // BINGET
  [0x6a, (m) => m.recall(m.reader.uint32())], // LONG_BINGET
  [0x70, (m) => m.remember(m.decimalIndex())], // PUT
  [0x71, (m) => m.remember(m.reader.uint8())], // BINPUT
  [0x72, (m) => m.remember(m.reader.uint32())], // LONG_BINPUT
  [0x94, (m) => m.remember(m.memo.size)], // MEMOIZE

  [0x63, (m) => m.global(m.reader.line(), m.reader.line())], // GLOBAL
  [
    0x93,
    (m) => {
      const name = m.pop(); // STACK_GLOBAL
      m.global(m.pop(), name);
    },
  ],
  [
    0x52,
    (m) => {
      const args = m.pop(); // REDUCE
      m.call(m.pop(), args);
    },
  ],
  [
    0x81,
    (m) => {
      const args = m.pop(); // NEWOBJ
      m.call(m.pop(), args);
    },
  ],
  [0x6f, callMarked], // OBJ
  [
    0x69,
    (m) => {
      const args = m.popMark(); // INST
      m.global(m.reader.line(), m.reader.line());
      m.call(m.pop(), args);
    },
  ],
  [
    0x62,
    (m) => {
      const state = m.pop(); // BUILD
      setState(m.top(), state, m.fail);
    },
  ],
  [0x51, (m) => m.persistent(m.pop())], // BINPERSID
]);

/**
 * The value of the pickle at the reader's position, which is moved behind it. Nothing is executed: every Python name
 * outside a closed list is refused.
 * @throws HRNetError `invalid-checkpoint` with the position, when the bytes are no valid pickle, name anything that is
 * not allowed, or pass the limits on operations, stack, nesting and sizes.
 */
export function unpickle(reader: PickleReader, persistentLoad?: PersistentLoad): PickleValue {
  const value = new Unpickler(reader, persistentLoad).run();
  if (isRecord(value, "name")) return reader.fail("it holds nothing but a name.");
  return value;
}
