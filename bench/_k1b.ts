import { race, type Cand } from "./_klab.ts";
import { wgrad3 } from "./_k1.ts";
const shapes: any[] = [[8,32,32,64,48],[8,64,64,32,24],[8,128,128,16,12],[8,256,256,8,6],[16,256,256,8,6],[8,64,64,64,48],[8,256,32,64,48]];
for (const s of shapes) { const [N,C,O,H,W] = s; const HW=H*W; const old = wgrad3(N,C,O,H,W);
  const pads4 = (b: any, x: string, C: number) => [b.pad(x,[0,0,0,1,0,0,0,-1]),x,b.pad(x,[0,0,0,-1,0,0,0,1])];
  const rows = (b: any, d: string) => [b.pad(d,[0,0,-W,0,0,W]),d,b.pad(d,[0,0,W,0,0,-W])];
  const cands: Cand[] = [
    ...["a ","S2","c fold"].map((n) => old.find((c) => c.name.startsWith(n))!),
    { name: "S2f flat rows", build: (b) => {
      const x3 = b.reshape(b.concat(pads4(b,"x",C),1),[N,3*C,HW]);
      const d3 = b.concat(rows(b,b.reshape("dy",[N,O,HW])),1);
      const m=b.reshape(b.sum(b.mm(d3,x3,0,1),[0]),[3,O,3*C]);
      return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0,2]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "S2g (B=d3)", build: (b) => {
      const x3 = b.reshape(b.concat(pads4(b,"x",C),1),[N,3*C,HW]);
      const d3 = b.concat(rows(b,b.reshape("dy",[N,O,HW])),1);
      return b.transpose(b.reshape(b.sum(b.mm(x3,d3,0,1),[0]),[3,C,3,O]),[3,1,2,0]); } },
    { name: "S2m d3 concat, x in 3 mm", build: (b) => {
      const d3 = b.concat(rows(b,b.reshape("dy",[N,O,HW])),1);
      const ms = pads4(b,"x",C).map((x) => b.reshape(b.sum(b.mm(d3,b.reshape(x,[N,C,HW]),0,1),[0]),[3,O,C,1]));
      return b.transpose(b.concat(ms,3),[1,2,0,3]); } },
    { name: "S2x x3 concat (A), dy in 3 mm", build: (b) => {
      const x3 = b.reshape(b.concat(pads4(b,"x",C),1),[N,3*C,HW]);
      const ms = rows(b,b.reshape("dy",[N,O,HW])).map((d) => b.reshape(b.sum(b.mm(x3,d,0,1),[0]),[1,3,C,O]));
      return b.transpose(b.concat(ms,0),[3,2,0,1]); } },
    { name: "S6n fold batch negpads", build: (b) => {
      const x3 = b.reshape(b.concat(pads4(b,b.transpose("x",[1,0,2,3]),C),0),[3*C,N*HW]);
      const d3 = b.reshape(b.concat(rows(b,b.reshape(b.transpose("dy",[1,0,2,3]),[O,N,HW])),0),[3*O,N*HW]);
      const m=b.reshape(b.mm(d3,x3,0,1),[3,O,3*C]);
 return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0,2]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "cD fold, col [C,9,NHW] as B, direct", build: (b) => {
      const xp = b.pad(b.transpose("x",[1,0,2,3]), [0,0,1,1,0,0,1,1]); const d = b.reshape(b.transpose("dy",[1,0,2,3]), [O,N*HW]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(b.reshape(b.slice(xp,[i,j],[i+H,j+W],[2,3]),[C,1,N*HW]));
      return b.reshape(b.mm(d,b.reshape(b.concat(parts,1),[9*C,N*HW]),0,1),[O,C,3,3]); } },
    { name: "cT fold, col as A, 2D transpose", build: (b) => {
      const xp = b.pad(b.transpose("x",[1,0,2,3]), [0,0,1,1,0,0,1,1]); const d = b.reshape(b.transpose("dy",[1,0,2,3]), [O,N*HW]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(b.reshape(b.slice(xp,[i,j],[i+H,j+W],[2,3]),[C,1,N*HW]));
      return b.reshape(b.transpose(b.mm(b.reshape(b.concat(parts,1),[9*C,N*HW]),d,0,1),[1,0]),[O,C,3,3]); } },
    { name: "bD batched col [N,C,9,HW] as B, direct", build: (b) => {
      const xp = b.pad("x",[0,0,1,1,0,0,1,1]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(b.reshape(b.slice(xp,[i,j],[i+H,j+W],[2,3]),[N,C,1,HW]));
      return b.reshape(b.sum(b.mm(b.reshape("dy",[N,O,HW]),b.reshape(b.concat(parts,2),[N,9*C,HW]),0,1),[0]),[O,C,3,3]); } },
    { name: "cE fold, rows on x3 (3 slices of x3)", build: (b) => {
      const x3 = b.reshape(b.concat(pads4(b,b.transpose("x",[1,0,2,3]),C).map((x: string)=>b.reshape(x,[C,1,N,HW])),1),[C*3,N,HW]); // C,3j
      const xr = [b.pad(x3,[0,0,W,0,0,-W]),x3,b.pad(x3,[0,0,-W,0,0,W])].map((x)=>b.reshape(x,[C,1,3,N*HW]));
      const col = b.reshape(b.concat(xr,1),[9*C,N*HW]);
      return b.reshape(b.mm(b.reshape(b.transpose("dy",[1,0,2,3]),[O,N*HW]),col,0,1),[O,C,3,3]); } },
  ];
  await race(`wgrad 3x3 s1 N${N} C${C} O${O} ${H}x${W}`, { x: [N,C,H,W], dy: [N,O,H,W] }, cands, 2*9*N*C*O*H*W/1e9); }
