import * as ort from "onnxruntime-node";
import { readFileSync } from "node:fs";
import { proceduralInput } from "../test/helpers/procedural.ts";
const [batch,reps,...files]=process.argv.slice(2);
const s=[Number(batch),3,256,192]; const x=proceduralInput("x",s);
const t=new ort.Tensor("float32",x.data as Float32Array,s);
const ss=[] as any[]; for(const f of files) ss.push(await ort.InferenceSession.create(readFileSync(f),{intraOpNumThreads:2,logSeverityLevel:3}));
const times=files.map(()=>[] as number[]); let first:any[]=[];
for(let r=0;r<Number(reps)+3;r++) for(let i=0;i<ss.length;i++){ const n=files[i]!.includes("w32")?1:3; await new Promise(q=>setTimeout(q,15)); await ss[i]!.run({input:t}); const t0=process.hrtime.bigint(); let o; for(let k=0;k<n;k++) o=await ss[i]!.run({input:t}); const d=Number(process.hrtime.bigint()-t0)/1e6/n; if(r>=3) times[i]!.push(d); else first[i]=Object.values(o as any)[0];}
const med=times.map(l=>l.sort((a,b)=>a-b)[l.length>>1]!); 
files.forEach((f,i)=>{ const a=first[0].data as Float32Array,b=first[i].data as Float32Array; let e=0,m=0; if(a.length===b.length) for(let k=0;k<a.length;k++){e=Math.max(e,Math.abs(a[k]!-b[k]!));m=Math.max(m,Math.abs(a[k]!));} console.log(f.padEnd(40),med[i]!.toFixed(2),"min",times[i]![0]!.toFixed(2),"first/this",(med[0]!/med[i]!).toFixed(2),"rel",(e/m).toExponential(1));});
