import { race, rnd } from "./_klab.ts";
for (const C of [32,64,128,256]) {
const w={ w: [C,C,3,3] }; const E = C*C*9;
await race(`flip+transpose weights C${C}`, w, [
  { name: "slice -1 2 axes + transpose", build: (b) => b.transpose(b.slice("w",[-1,-1],[-10,-10],[2,3],[-1,-1]),[1,0,2,3]) },
  { name: "transpose + slice -1 2 axes", build: (b) => b.slice(b.transpose("w",[1,0,2,3]),[-1,-1],[-10,-10],[2,3],[-1,-1]) },
  { name: "reshape OC9 slice-1 transpose 102", build: (b) => b.reshape(b.transpose(b.slice(b.reshape("w",[C,C,9]),[-1],[-10],[2],[-1]),[1,0,2]),[C,C,3,3]) },
  { name: "transpose102 then matmul J9", build: (b) => { const J = new Float32Array(81); for (let i=0;i<9;i++) J[i*9+8-i]=1; return b.reshape(b.op("MatMul",[b.reshape(b.transpose(b.reshape("w",[C,C,9]),[1,0,2]),[C*C,9]),b.f([9,9],J)]),[C,C,3,3]); } },
  { name: "gather9 + transpose", build: (b) => b.reshape(b.transpose(b.op("Gather",[b.reshape("w",[C,C,9]),b.i([8,7,6,5,4,3,2,1,0])],{axis:2}),[1,0,2]),[C,C,3,3]) },
  { name: "T[OC,9]->9,OC; rev slices axis0; 9,O,C->C,O,9 2D", build: (b) => { const t=b.slice(b.transpose(b.reshape("w",[C*C,9]),[1,0]),[-1],[-10],[0],[-1]); return b.reshape(b.transpose(b.reshape(t,[9,C,C]),[2,1,0]),[C,C,3,3]); } },
  { name: "reverse all flat, then transp w/ neg", build: (b) => { const t=b.slice(b.reshape("w",[E]),[-1],[-E-10],[0],[-1]); /* = [O',C',9'] all reversed */ return b.slice(b.reshape(b.transpose(b.reshape(t,[C,C,9]),[1,0,2]),[C,C,3,3]),[-1,-1],[-10000,-10000],[0,1],[-1,-1]); } },
], 0);
await race(`transposes C${C}`, { w: [C*C*9] }, [
  { name: "[O,C,9]->[C,O,9]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[C,C,9]),[1,0,2]) },
  { name: "[9,C,O]->[O,C,9]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[9,C,C]),[2,1,0]) },
  { name: "[9,C,O]->[9,O,C]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[9,C,C]),[0,2,1]) },
  { name: "[9C,O]->[O,9C]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[9*C,C]),[1,0]) },
  { name: "[9,CO]->[CO,9]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[9,C*C]),[1,0]) },
  { name: "[OC,9]->[9,OC]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[C*C,9]),[1,0]) },
  { name: "[O,C9]->[C9,O]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[C,9*C]),[1,0]) },
  { name: "[9,O,C]->[9,C,O] rev slice axis0 only", noCheck: true, build: (b) => b.slice(b.reshape("w",[9,C*C]),[-1],[-10],[0],[-1]) },
  { name: "Slice -1 last [OC,9]", noCheck: true, build: (b) => b.slice(b.reshape("w",[C*C,9]),[-1],[-10],[1],[-1]) },
  { name: "Slice -1 flat", noCheck: true, build: (b) => b.slice("w",[-1],[-E-10],[0],[-1]) },
  { name: "matmul J9", noCheck: true, build: (b) => b.op("MatMul",[b.reshape("w",[C*C,9]),b.f([9,9],rnd(81))]) },
  { name: "[3,O,3,C]->[O,C,3,3]", noCheck: true, build: (b) => b.transpose(b.reshape("w",[3,C,3,C]),[1,3,0,2]) },
  { name: "nchwc OIHW->OIHW16i16o transpose", noCheck: true, build: (b) => b.transpose(b.reshape("w",[C/16,16,C/16,16,9]),[0,2,4,3,1]) },
  { name: "nchwc flipped: [O,C,9]->for dgrad (C out)", noCheck: true, build: (b) => b.transpose(b.slice(b.reshape("w",[C/16,16,C/16,16,9]),[-1],[-10],[4],[-1]),[2,0,4,1,3]) },
  { name: "nchwc w/o flip dgrad transpose", noCheck: true, build: (b) => b.transpose(b.reshape("w",[C/16,16,C/16,16,9]),[2,0,4,1,3]) },
], 0);
}
