import * as ort from "onnxruntime-node";
import { B, open, makeModel, rnd } from "./_klab.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { DataType } from "../src/graph/onnx-messages.ts";
import { readFileSync } from "node:fs";
const hwm = () => /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status","utf8"))![1]; const rss=()=>Math.round(process.memoryUsage().rss/1e6);
const mode = process.argv[2];
const f = (name:string,s:number[]) => ({ name, type:{tensorType:{elemType:DataType.FLOAT, shape:{dim:s.map((d)=>({dimValue:d}))}}} });
if (mode === "state") {
  const n = 88_000_000; // 350 MB
  const b = new B(); const y = b.op("Mul",["s",b.f([],[0.999])]);
  const m = encodeModel({ irVersion:8, opsetImport:[{domain:"",version:17}], graph:{ name:"g", node:b.nodes, initializer:b.inits, input:[f("s",[n])], output:[f(y,[n])] } });
  for (const extra of [{}, {enableCpuMemArena:false}]) {
    const s = await open(m,"disabled",extra); let t = new ort.Tensor("float32", new Float32Array(n).fill(1), [n]); const ts:number[]=[];
    for (let i=0;i<6;i++) { const t0=performance.now(); const r=await s.run({s:t}); ts.push(performance.now()-t0); t=r[y] as ort.Tensor; }
    console.log("fresh outputs", JSON.stringify(extra), ts.map((v)=>v.toFixed(0)).join(" "), "rss",rss(), "hwm MB", hwm());
    const a = new ort.Tensor("float32", new Float32Array(n).fill(1), [n]), c = new ort.Tensor("float32", new Float32Array(n), [n]); const ts2:number[]=[];
    let p=a,q=c; let inPlace=false;
    for (let i=0;i<6;i++) { const before=q.data; const t0=performance.now(); const r=await s.run({s:p},{[y]:q} as any); ts2.push(performance.now()-t0); inPlace = (r[y] as any).data===before || (before as Float32Array)[5]!==0; [p,q]=[r[y] as ort.Tensor,p]; }
    console.log("preallocated", ts2.map((v)=>v.toFixed(0)).join(" "), "filled in place:", inPlace, "value", (p.data as Float32Array)[5]);
    await s.release();
  }
}
if (mode === "alias") { // BatchNormalization training aliasing: running stats as state: does it write into the caller's buffer?
  const n=1_000_000; const b=new B();
  const [y,m2,v2]=b.ops("BatchNormalization",["x","sc","bi","mean","var"],{training_mode:1,momentum:{f:0}},3);
  const m=encodeModel({ irVersion:8, opsetImport:[{domain:"",version:17}], graph:{ name:"g", node:b.nodes, initializer:b.inits, input:[f("x",[1,n,2]),f("sc",[n]),f("bi",[n]),f("mean",[n]),f("var",[n])], output:[f(y!,[1,n,2]),f(m2!,[n]),f(v2!,[n])] } });
  const s=await open(m); const mean=new Float32Array(n).fill(7); const T=(d:Float32Array,sh:number[])=>new ort.Tensor("float32",d,sh);
  await s.run({x:T(rnd(2*n),[1,n,2]),sc:T(new Float32Array(n).fill(1),[n]),bi:T(new Float32Array(n),[n]),mean:T(mean,[n]),var:T(new Float32Array(n).fill(1),[n])});
  console.log("BN caller's mean buffer after run:", mean[0], mean[1], "(7 = untouched)");
}
if (mode === "mem") { // chain forward, reversed use: peak
  const which = process.argv[3]; const L=30, S=[8,32,64,96]; const b=new B(); const acts=["x"]; 
  for (let i=0;i<L;i++) acts.push(b.op("Sigmoid",[acts[i]!])); let g=acts[L]!; const outs:string[]=[];
  for (let i=L;i>0;i--) { const t=b.op("Mul",[g,acts[i]!]); outs.push(b.sum(t,[0,1,2,3])); g=b.op("Mul",[t,acts[i-1]!]); }
  if (which==="late") { const sums=b.nodes.filter((n)=>n.opType==="ReduceSum"); b.nodes=[...b.nodes.filter((n)=>n.opType!=="ReduceSum"),...sums]; }
  const m=encodeModel({ irVersion:8, opsetImport:[{domain:"",version:17}], graph:{ name:"g", node:b.nodes, initializer:b.inits, input:[f("x",S)], output:outs.map((o)=>({name:o,type:{tensorType:{elemType:1}}})) } });
  const extra:any = process.argv[4] ? JSON.parse(process.argv[4]) : {};
  const r0=rss(); const s=await open(m,"disabled",extra); const x=new ort.Tensor("float32",rnd(8*32*64*96),S); 
  const t0=performance.now(); for (let i=0;i<5;i++) await s.run({x}); console.log(which, JSON.stringify(extra), `one map 6.3 MB, ${L} kept = ${(L*6.3).toFixed(0)} MB; rss0 ${r0} rss ${rss()} HWM ${hwm()} kB, ${((performance.now()-t0)/5).toFixed(1)} ms/run`);
}
