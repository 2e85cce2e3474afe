import * as ort from "onnxruntime-node";
import { B, open } from "./_klab.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { DataType } from "../src/graph/onnx-messages.ts";
const f = (name:string,s:number[]) => ({ name, type:{tensorType:{elemType:DataType.FLOAT, shape:{dim:s.map((d)=>({dimValue:d}))}}} });
const n = 30_000_000; const b = new B(); const y = b.op("Mul",["s",b.f([],[0.5])]); const z = b.op("Add",["s",y]);
const m = encodeModel({ irVersion:8, opsetImport:[{domain:"",version:17}], graph:{ name:"g", node:b.nodes, initializer:b.inits, input:[f("s",[n])], output:[f(z,[n])] } });
const s = await open(m); const buf=new Float32Array(n).fill(1); const t=new ort.Tensor("float32",buf,[n]);
const r=await s.run({s:t},{[z]:t} as any); console.log("share buffer:",(r[z] as any).data.buffer===buf.buffer, buf[5], "offset", (r[z] as any).data.byteOffset);
let best=Infinity, kn=Infinity; for(let i=0;i<20;i++){ const q=performance.now(); await s.run({s:t},{[z]:t} as any); best=Math.min(best,performance.now()-q);} 
for(let i=0;i<20;i++){ const q=performance.now(); await s.run({s:t}); kn=Math.min(kn,performance.now()-q);} 
console.log("in place", best.toFixed(1), "fresh", kn.toFixed(1), "rss", Math.round(process.memoryUsage().rss/1e6));
// SharedArrayBuffer-backed
try { const sb=new Float32Array(new SharedArrayBuffer(4*n)).fill(1); const ts=new ort.Tensor("float32",sb,[n]); await s.run({s:ts},{[z]:ts} as any); console.log("SharedArrayBuffer in place:", sb[5]); } catch(e) { console.log("SAB", String(e).slice(0,150)); }
