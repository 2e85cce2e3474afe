// Scratch: micro-benchmark harness of the kernel lab.
import { readFileSync, unlinkSync, readdirSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { AttributeType, DataType, type NodeProto, type AttributeProto, type TensorProto } from "../src/graph/onnx-messages.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";

export type Attr = number | number[] | string | { f: number } | { fs: number[] };
const enc = new TextEncoder();
export class B {
  nodes: NodeProto[] = [];
  inits: TensorProto[] = [];
  n = 0;
  f(dims: number[], data: ArrayLike<number>): string {
    const name = `c${this.n++}`;
    const a = Float32Array.from(data as any);
    this.inits.push({ name, dims, dataType: DataType.FLOAT, rawData: new Uint8Array(a.buffer) });
    return name;
  }
  i(data: number[], scalar = false): string {
    const name = `i${this.n++}`;
    const a = BigInt64Array.from(data.map((v) => BigInt(v)));
    this.inits.push({ name, dims: scalar ? [] : [data.length], dataType: DataType.INT64, rawData: new Uint8Array(a.buffer) });
    return name;
  }
  ops(opType: string, input: string[], attrs: Record<string, Attr> = {}, outs = 1, domain = ""): string[] {
    const output = Array.from({ length: outs }, () => `v${this.n++}`);
    const attribute: AttributeProto[] = Object.entries(attrs).map(([name, v]) =>
      typeof v === "number" ? { name, type: AttributeType.INT, i: v }
      : typeof v === "string" ? { name, type: AttributeType.STRING, s: enc.encode(v) }
      : Array.isArray(v) ? { name, type: AttributeType.INTS, ints: v }
      : "f" in v ? { name, type: AttributeType.FLOAT, f: v.f }
      : { name, type: AttributeType.FLOATS, floats: v.fs });
    this.nodes.push({ opType, input, output, attribute, domain, name: `${opType}_${this.nodes.length}` });
    return output;
  }
  op(opType: string, input: string[], attrs: Record<string, Attr> = {}, domain = ""): string {
    return this.ops(opType, input, attrs, 1, domain)[0]!;
  }
  ms(opType: string, input: string[], attrs: Record<string, Attr> = {}): string { return this.op(opType, input, attrs, "com.microsoft"); }
  nc(opType: string, input: string[], attrs: Record<string, Attr> = {}): string { return this.op(opType, input, attrs, "com.microsoft.nchwc"); }
  reshape(x: string, s: number[]) { return this.op("Reshape", [x, this.i(s)]); }
  transpose(x: string, perm: number[]) { return this.op("Transpose", [x], { perm }); }
  slice(x: string, starts: number[], ends: number[], axes: number[], steps?: number[]) {
    return this.op("Slice", [x, this.i(starts), this.i(ends), this.i(axes), ...(steps ? [this.i(steps)] : [])]);
  }
  pad(x: string, pads: number[]) { return this.op("Pad", [x, this.i(pads)]); }
  concat(xs: string[], axis: number) { return this.op("Concat", xs, { axis }); }
  sum(x: string, axes: number[], keepdims = 0) { return this.op("ReduceSum", [x, this.i(axes)], { keepdims }); }
  mm(a: string, b: string, transA = 0, transB = 0, alpha = 1) { return this.ms("FusedMatMul", [a, b], { transA, transB, alpha: { f: alpha } }); }
}
export interface Cand { name: string; build: (b: B) => string | string[]; noCheck?: boolean; level?: string; tol?: number }
export type Shapes = Record<string, number[]>;

export function rnd(n: number, seed = 1): Float32Array {
  const a = new Float32Array(n);
  let s = seed >>> 0 || 1;
  for (let i = 0; i < n; i++) { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; a[i] = s / 2147483648 - 1; }
  return a;
}
const prod = (s: number[]) => s.reduce((a, b) => a * b, 1);

export function makeModel(c: Cand, shapes: Shapes, full: boolean): Uint8Array {
  const b = new B();
  let outs = c.build(b);
  if (!Array.isArray(outs)) outs = [outs];
  if (!full) outs = outs.map((o) => b.slice(b.op("Reshape", [o, b.i([1, -1])]), [0], [1], [1]));
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }, { domain: "com.microsoft", version: 1 }, { domain: "com.microsoft.nchwc", version: 1 }],
    graph: {
      name: "lab", node: b.nodes, initializer: b.inits,
      input: Object.entries(shapes).map(([name, s]) => ({ name, type: { tensorType: { elemType: DataType.FLOAT, shape: { dim: s.map((d) => ({ dimValue: d })) } } } })),
      output: outs.map((name) => ({ name, type: { tensorType: { elemType: DataType.FLOAT } } })),
    },
  });
}
export async function open(model: Uint8Array, level = "disabled", extra: any = {}) {
  return ort.InferenceSession.create(model, { graphOptimizationLevel: level as any, intraOpNumThreads: 2, interOpNumThreads: 1, logSeverityLevel: 3, extra: { session: { force_spinning_stop: "1" } }, ...extra });
}
export async function race(title: string, shapes: Shapes, cands: Cand[], gflop: number, o: { rounds?: number; level?: string; scale?: Shapes; feeds?: Record<string, Float32Array> } = {}) {
  const feeds: Record<string, ort.Tensor> = {};
  let seed = 7;
  for (const [k, s] of Object.entries(shapes)) feeds[k] = new ort.Tensor("float32", o.feeds?.[k] ?? rnd(prod(s), seed++), s);
  let ref: Float32Array[] | undefined;
  const rows: { name: string; s: ort.InferenceSession; t: number[]; err: number; nodes: number }[] = [];
  for (const c of cands) {
    try {
      const lvl = c.level ?? o.level ?? "disabled";
      let err = NaN;
      if (!c.noCheck) {
        const sf = await open(makeModel(c, shapes, true), lvl);
        const r = await sf.run(feeds);
        const outs = sf.outputNames.map((n) => r[n]!.data as Float32Array);
        if (!ref) { ref = outs.map((a) => a.slice()); err = 0; }
        else { err = 0; outs.forEach((a, k) => { const rr = ref![k]!; if (rr.length !== a.length) { err = 999; return; } let m = 0, d = 0; for (let i = 0; i < a.length; i++) { m = Math.max(m, Math.abs(rr[i]!)); d = Math.max(d, Math.abs(rr[i]! - a[i]!)); } err = Math.max(err, d / m); }); }
        await sf.release();
      }
      const bb = new B(); c.build(bb);
      rows.push({ name: c.name, s: await open(makeModel(c, shapes, false), lvl), t: [], err, nodes: bb.nodes.length });
    } catch (e) { console.log(`   ${c.name}: FAIL ${String(e).slice(0, 200)}`); }
  }
  for (const r of rows) await r.s.release();
  const mins: Map<string, number>[] = rows.map(() => new Map());
  const wall: number[] = rows.map(() => Infinity);
  const passes = o.rounds ?? 3;
  for (let p = 0; p < passes; p++) for (let q = 0; q < rows.length; q++) {
    const r = rows[q]!; const c = cands.find((c) => c.name === r.name)!;
    const s = await open(makeModel(c, shapes, false), c.level ?? o.level ?? "disabled", { enableProfiling: true, profileFilePrefix: "/tmp/kernel-lab/prof" });
    const t0 = performance.now();
    for (let i = 0; i < 60 && (i < 8 || performance.now() - t0 < 400); i++) { const t = performance.now(); await s.run(feeds); wall[q] = Math.min(wall[q]!, performance.now() - t); }
    s.endProfiling(); await s.release();
    const fn = "/tmp/kernel-lab/" + readdirSync("/tmp/kernel-lab").filter((f) => f.startsWith("prof_")).sort().pop();
    const ev = JSON.parse(readFileSync(fn, "utf8")) as any[]; unlinkSync(fn);
    for (const e of ev) if (e.cat === "Node" && e.name.endsWith("_kernel_time")) { const k = e.name.replace("_kernel_time", ""); mins[q]!.set(k, Math.min(mins[q]!.get(k) ?? Infinity, e.dur / 1000)); }
  }
  console.log(`## ${title}  (${gflop.toFixed(3)} GFLOP)`);
  rows.forEach((r, q) => {
    let tot = 0; const by = new Map<string, number>();
    for (const [k, v] of mins[q]!) { tot += v; const op = k.replace(/_\d+$/, ""); by.set(op, (by.get(op) ?? 0) + v); }
    const det = [...by].sort((a, b) => b[1] - a[1]).filter((e) => e[1] > 0.03 * tot).slice(0, 5).map(([k, v]) => `${k} ${v.toFixed(2)}`).join(", ");
    console.log(`   ${r.name.padEnd(44)} ${tot.toFixed(2).padStart(8)} ms ${(gflop / tot * 1000).toFixed(0).padStart(5)} GF/s (wall ${wall[q]!.toFixed(2)}) n${r.nodes} [${det}]${r.err > 1e-4 ? `  ERR ${r.err}` : Number.isNaN(r.err) ? "  unchecked" : ""}`);
  });
}
/** Per-node minimum times of one candidate. */
export async function prof(title: string, shapes: Shapes, c: Cand, runs = 40, level = "disabled") {
  const feeds: Record<string, ort.Tensor> = {}; let seed = 7;
  for (const [k, s] of Object.entries(shapes)) feeds[k] = new ort.Tensor("float32", rnd(prod(s), seed++), s);
  const s = await open(makeModel(c, shapes, false), level, { enableProfiling: true, profileFilePrefix: "/tmp/kernel-lab/prof" });
  for (let i = 0; i < runs; i++) await s.run(feeds);
  s.endProfiling(); await s.release();
  const fn = "/tmp/kernel-lab/" + readdirSync("/tmp/kernel-lab").filter((f) => f.startsWith("prof_")).sort().pop();
  const ev = JSON.parse(readFileSync(fn, "utf8")) as any[]; unlinkSync(fn);
  const m = new Map<string, number[]>();
  for (const e of ev) if (e.cat === "Node" && e.name.endsWith("_kernel_time")) { const k = e.name.replace("_kernel_time", ""); (m.get(k) ?? m.set(k, []).get(k)!).push(e.dur / 1000); }
  console.log(`-- profile ${title}: ${c.name}`);
  let tot = 0;
  for (const [k, t] of m) { t.sort((a, b) => a - b); tot += t[t.length >> 2]!; console.log(`   ${k.padEnd(24)} min ${t[0]!.toFixed(3)} q25 ${t[t.length >> 2]!.toFixed(3)} med ${t[t.length >> 1]!.toFixed(3)}`); }
  console.log(`   sum q25 ${tot.toFixed(2)}`);
}
