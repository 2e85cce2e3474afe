import { readFileSync, rmSync, readdirSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { VARIANTS } from "../src/models/variants.ts";
import { buildNetwork, parseNetworkConfig } from "../src/models/network.ts";
import { inferenceGraph } from "../src/graph/inference.ts";
import { graphToModel } from "../src/graph/onnx.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { proceduralWeight, proceduralInput } from "../test/helpers/procedural.ts";
const v=process.argv[2]!; const s=[Number(process.argv[3]??1),3,256,192];
const n=buildNetwork(parseNetworkConfig(VARIANTS.find(x=>x.name===v)!.config),[s[2]!,s[3]!]);
const w=new Map([...n.parameters].map(([k,p])=>[k,proceduralWeight(k,p.value.shape as number[])]));
const g=inferenceGraph(n.graph,w); const bytes=encodeModel(graphToModel(g,{name:v}));
const hist:Record<string,number>={}; for(const q of g.nodes) hist[q.operator.type]=(hist[q.operator.type]??0)+1; console.log("ours",g.nodes.length,hist);
const x=proceduralInput("x",s);
const sess=await ort.InferenceSession.create(bytes,{intraOpNumThreads:2,enableProfiling:true,profileFilePrefix:"/tmp/ortprof_",optimizedModelFilePath:"/tmp/opt_"+v+".onnx"});
const t=new ort.Tensor("float32",x.data as Float32Array,s);
const R=30; for(let i=0;i<R;i++) await sess.run({input:t});
sess.endProfiling(); await sess.release();
const f=readdirSync("/tmp").filter(q=>q.startsWith("ortprof_")).sort().at(-1)!;
const ev=JSON.parse(readFileSync("/tmp/"+f,"utf8")) as any[];
const by=new Map<string,{n:number,t:number}>(); let tot=0; const byn=new Map<string,number[]>();
const info=new Map<string,any>();
for(const e of ev) if(e.cat==="Node"&&e.name.endsWith("_kernel_time")){ const k=e.args.op_name; const o=by.get(k)??{n:0,t:0}; o.n++; o.t+=e.dur; by.set(k,o); tot+=e.dur; const l=byn.get(e.name)??[]; l.push(e.dur); byn.set(e.name,l); info.set(e.name,e.args);} 
const runs=ev.filter(e=>e.name==="model_run").map(e=>e.dur).sort((a,b)=>a-b);
console.log("run median us",runs[runs.length>>1],"node total/run",(tot/R)|0);
for(const [k,o] of [...by].sort((a,b)=>b[1].t-a[1].t)) console.log(k.padEnd(28),(o.n/R).toFixed(0).padStart(5),(o.t/R).toFixed(0).padStart(8));
if(process.argv[4]) { const med=[...byn].map(([k,l])=>[k,l.sort((a,b)=>a-b)[l.length>>1]!] as const).sort((a,b)=>b[1]-a[1]); for(const [k,d] of med.slice(0,Number(process.argv[4]))) console.log(String(d).padStart(7),info.get(k).op_name.padEnd(18),k.slice(0,70),JSON.stringify(info.get(k).output_type_shape)); }
rmSync("/tmp/"+f);
