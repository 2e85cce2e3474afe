import * as ort from "onnxruntime-node";
import { B, open, race, rnd } from "./_klab.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { DataType } from "../src/graph/onnx-messages.ts";
const f = (name:string,s:number[]) => ({ name, type:{tensorType:{elemType:DataType.FLOAT, shape:{dim:s.map((d)=>({dimValue:d}))}}} });
{ const n = 30_000_000; const b = new B(); const y = b.op("Mul",["s",b.f([],[0.5])]);
  const m = encodeModel({ irVersion:8, opsetImport:[{domain:"",version:17}], graph:{ name:"g", node:b.nodes, initializer:b.inits, input:[f("s",[n])], output:[f(y,[n])] } });
  const s = await open(m); const a=new ort.Tensor("float32",new Float32Array(n).fill(1),[n]);
  const buf=new Float32Array(n), c=new ort.Tensor("float32",buf,[n]); const d2=new ort.Tensor("float32",new Float32Array(n),[n]);
  let fresh=Infinity, pre=Infinity, self=Infinity;
  for (let i=0;i<12;i++) { let t=performance.now(); await s.run({s:a}); fresh=Math.min(fresh,performance.now()-t);
    t=performance.now(); const r=await s.run({s:a},{[y]:c} as any); pre=Math.min(pre,performance.now()-t); if(i===0) console.log("buf[5] after prealloc run:",buf[5],"same data:",(r[y] as any).data===buf, "same tensor", r[y]===c); }
  const r=await s.run({s:d2},{[y]:d2} as any); console.log("feed = fetch accepted", (r[y] as any).data===d2.data);
  for (let i=0;i<12;i++) { const t=performance.now(); await s.run({s:a},{[y]:a} as any); self=Math.min(self,performance.now()-t); }
  console.log(`120 MB: fresh ${fresh.toFixed(1)} prealloc ${pre.toFixed(1)} self ${self.toFixed(1)} ms; a[5]=${(a.data as any)[5]} (in place would be ${0.5**12})`);
  const rr=await s.run({s:a}); const dd=(rr[y] as any); console.log("output keys", dd.location, dd.data.byteOffset, typeof dd.dispose); await s.release(); }
const blk = (b: B, w: string, O: number, C: number) => b.reshape(b.transpose(b.reshape(b.transpose(b.reshape(w,[O/16,16,C*9]),[0,2,1]),[O/16*(C/16),16,9,16]),[0,2,1,3]),[O,C,3,3]);
for (const lvl of ["disabled","basic","extended","all"]) await race("nchwc by level "+lvl, { x:[8,32,64,48], w:[32,32,3,3] }, [
  { name:"Conv+Relu+Conv plain", build:(b)=>b.op("Conv",[b.op("Relu",[b.op("Conv",["x","w"],{pads:[1,1,1,1]})]),"w"],{pads:[1,1,1,1]}) },
  { name:"nchwc pair", build:(b)=>{ const k=blk(b,"w",32,32); const c=(x:string)=>b.nc("Conv",[x,k],{pads:[1,1,1,1],kernel_shape:[3,3]}); return b.nc("ReorderOutput",[c(b.op("Relu",[c(b.nc("ReorderInput",["x"]))]))],{channels:32}); } },
  { name:"nchwc pair, reorders between", build:(b)=>{ const k=blk(b,"w",32,32); const c=(x:string)=>b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",[x]),k],{pads:[1,1,1,1],kernel_shape:[3,3]})],{channels:32}); return c(b.op("Relu",[c("x")])); } },
], 0.906, {level:lvl, rounds:2});
for (const [N,C,O,H,W] of [[8,256,64,64,48]] as any[]) await race(`1x1 fwd ${C}->${O}`, { x:[N,C,H,W], w:[O,C,1,1] }, [
  { name:"Conv", build:(b)=>b.op("Conv",["x","w"]) },
  { name:"MatMul", build:(b)=>b.reshape(b.op("MatMul",[b.reshape("w",[O,C]),b.reshape("x",[N,C,H*W])]),[N,O,H,W]) },
  { name:"4 K-splits by slice + adds", build:(b)=>{ const p=[0,1,2,3].map((k)=>b.op("Conv",[b.slice("x",[k*64],[k*64+64],[1]),b.slice("w",[k*64],[k*64+64],[1])])); return b.op("Add",[b.op("Add",[p[0]!,p[1]!]),b.op("Add",[p[2]!,p[3]!])]); } },
  { name:"FusedMatMul transA x^T w^T then T", build:(b)=>b.reshape(b.transpose(b.mm(b.reshape("x",[N,C,H*W]),b.reshape("w",[1,O,C]),1,1),[0,2,1]),[N,O,H,W]) },
  { name:"Transpose x, A=w,B=xT transB", build:(b)=>b.reshape(b.mm(b.reshape("w",[1,O,C]),b.transpose(b.reshape("x",[N,C,H*W]),[0,2,1]),0,1),[N,O,H,W]) },
  { name:"nchwc", build:(b)=>b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"],{}),b.reshape(b.transpose(b.reshape("w",[O/16,16,C]),[0,2,1]),[O,C,1,1])],{kernel_shape:[1,1]})],{channels:O}) },
], 2*N*C*O*H*W/1e9, {rounds:3});
