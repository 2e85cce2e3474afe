import { race, B, type Cand } from "./_klab.ts";
const sel = process.argv[2] ?? "all";
// 3x3 stride1 pad1: x [N,C,H,W], dy [N,O,H,W] -> [O,C,3,3]
export function wgrad3(N: number, C: number, O: number, H: number, W: number): Cand[] {
  const HW = H * W, T = H * (W + 1);
  const fin = (b: B, m: string, layout: string) => m;
  const cands: Cand[] = [
    { name: "a 9 slices 4D + bmm + sum", build: (b) => {
      const xp = b.pad("x", [0,0,1,1,0,0,1,1]); const d = b.reshape("dy", [N,O,HW]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) {
        const s = b.reshape(b.slice(xp, [i,j], [i+H,j+W], [2,3]), [N,C,HW]);
        parts.push(b.reshape(b.sum(b.mm(d, s, 0, 1), [0]), [O,C,1])); }
      return b.reshape(b.concat(parts, 2), [O,C,3,3]); } },
    { name: "b im2col 9 slices+concat, A=col", build: (b) => {
      const xp = b.pad("x", [0,0,1,1,0,0,1,1]); const d = b.reshape("dy", [N,O,HW]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(b.slice(xp, [i,j], [i+H,j+W], [2,3]));
      const col = b.reshape(b.concat(parts, 1), [N,9*C,HW]);
      return b.reshape(b.transpose(b.reshape(b.sum(b.mm(col, d, 0, 1), [0]), [9,C,O]), [2,1,0]), [O,C,3,3]); } },
    { name: "b2 unfold twice, A=col", build: (b) => {
      // padded rows of width W+1 (shared zero column), one leading zero... rows H+2
      const P = W + 1, TT = (H+2)*P + 2; // pad: flat
      const xp = b.pad(b.reshape(b.pad("x", [0,0,1,0,0,0,1,1]), [N,C,(H+2)*P]), [0,0,1,0,0,1]);
      const u1 = b.ms("UnfoldTensor", [xp], { dim: 2, size: H*P + 2, step: P }); // [N,C,3,H*P+2]
      const u2 = b.ms("UnfoldTensor", [u1], { dim: 3, size: H*P, step: 1 }); // [N,C,3,3,HP]
      const d = b.reshape(b.pad("dy", [0,0,0,0,0,0,0,1]), [N,O,H*P]);
      const col = b.reshape(u2, [N,C*9,H*P]);
      return b.reshape(b.transpose(b.sum(b.mm(col, d, 0, 1), [0]), [1,0]), [O,C,3,3]); } },
    { name: "b3 one-hot dwconv im2col, A=col", build: (b) => {
      const w = new Float32Array(C*81); for (let c = 0; c < C; c++) for (let k = 0; k < 9; k++) w[c*81+k*9+k] = 1;
      const col = b.op("Conv", ["x", b.f([9*C,1,3,3], w)], { group: C, pads: [1,1,1,1] });
      const d = b.reshape("dy", [N,O,HW]);
      return b.reshape(b.transpose(b.sum(b.mm(b.reshape(col,[N,9*C,HW]), d, 0, 1), [0]), [1,0]), [O,C,3,3]); } },
    { name: "S split 3+3: slices, batch mm", build: (b) => {
      const xp = b.pad("x", [0,0,0,1,0,0,0,1]);
      const x3 = b.reshape(b.concat([0,1,2].map((j) => b.slice(xp,[j],[j+W],[3])),1), [N,3*C,HW]);
      const dp = b.pad(b.reshape("dy",[N,O,HW]), [0,0,W,0,0,W]);
      const d3 = b.concat([2,1,0].map((i) => b.slice(dp,[i*W],[i*W+HW],[2])),1);
      const m = b.sum(b.mm(d3, x3, 0, 1), [0]); // [3O,3C]
      return b.transpose(b.reshape(m,[3,O,3,C]), [1,3,0,2]); } },
    { name: "S2 split negpads concat", build: (b) => {
      const x3 = b.reshape(b.concat([b.pad("x",[0,0,0,1,0,0,0,-1]),"x",b.pad("x",[0,0,0,-1,0,0,0,1])],1),[N,3*C,HW]);
      const d3 = b.reshape(b.concat([b.pad("dy",[0,0,-1,0,0,0,1,0]),"dy",b.pad("dy",[0,0,1,0,0,0,-1,0])],1),[N,3*O,HW]);
      const m = b.sum(b.mm(d3, x3, 0, 1), [0]);
      return b.transpose(b.reshape(m,[3,O,3,C]), [1,3,0,2]); } },
    { name: "S3 split unfold (dy rows, x cols W+1)", build: (b) => {
      const P = W+1;
      const xp = b.pad(b.reshape(b.pad("x",[0,0,0,0,0,0,0,1]),[N,C,T]),[0,0,1,0,0,1]);
      const x3 = b.reshape(b.ms("UnfoldTensor",[xp],{dim:2,size:T,step:1}),[N,C*3,T]);
      const dp = b.reshape(b.pad("dy",[0,0,1,0,0,0,1,1]),[N,O,(H+2)*P]);
      const d3 = b.reshape(b.ms("UnfoldTensor",[dp],{dim:2,size:T,step:P}),[N,O*3,T]); // index i: offset i-1 rows: dy[h+i-1] => di = 2-i
      const m = b.sum(b.mm(d3,x3,0,1),[0]); // [O*3,C*3]
      const r = b.transpose(b.reshape(m,[O,3,C,3]),[0,2,1,3]);
      return b.slice(r,[-1],[-1000],[2],[-1]); } },
    { name: "S4 split3: x cols only (3 mm with dy row slices)", build: (b) => {
      const xp = b.pad("x", [0,0,0,1,0,0,0,1]);
      const x3 = b.reshape(b.concat([0,1,2].map((j) => b.slice(xp,[j],[j+W],[3])),1), [N,3*C,HW]);
      const dp = b.pad(b.reshape("dy",[N,O,HW]), [0,0,W,0,0,W]);
      const ms = [2,1,0].map((i) => b.reshape(b.sum(b.mm(x3, b.slice(dp,[i*W],[i*W+HW],[2]), 0, 1),[0]),[1,3,C,O]));
      return b.transpose(b.concat(ms,0),[3,2,0,1]); } },
    { name: "S5 split, x3 by 1hot dwconv 1x3, dy unfold", build: (b) => {
      const w = new Float32Array(C*9); for (let c = 0; c < C; c++) for (let k = 0; k < 3; k++) w[c*9+k*3+k] = 1;
      const x3 = b.reshape(b.op("Conv", ["x", b.f([3*C,1,1,3], w)], { group: C, pads: [0,1,0,1] }),[N,3*C,HW]);
      const dp = b.reshape(b.pad("dy",[0,0,1,0,0,0,1,0]),[N,O,(H+2)*W]);
      const d3 = b.reshape(b.ms("UnfoldTensor",[dp],{dim:2,size:HW,step:W}),[N,O*3,HW]);
      const m = b.sum(b.mm(d3,x3,0,1),[0]);
      return b.slice(b.transpose(b.reshape(m,[O,3,C,3]),[0,2,1,3]),[-1],[-1000],[2],[-1]); } },
    { name: "S6 split, fold batch into K (slices)", build: (b) => {
      const xt = b.pad(b.transpose("x",[1,0,2,3]), [0,0,0,1,0,0,0,1]); // C,N,H,W+2
      const x3 = b.reshape(b.concat([0,1,2].map((j) => b.slice(xt,[j],[j+W],[3])),0), [3*C,N*HW]);
      const dt = b.pad(b.reshape(b.transpose("dy",[1,0,2,3]),[O,N,HW]), [0,0,W,0,0,W]);
      const d3 = b.reshape(b.concat([2,1,0].map((i) => b.slice(dt,[i*W],[i*W+HW],[2])),0),[3*O,N*HW]);
      const m = b.mm(d3, x3, 0, 1);
      return b.transpose(b.reshape(m,[3,O,3,C]), [1,3,0,2]); } },
    { name: "S7 split, fold batch, unfold", build: (b) => {
      const P = W+1;
      const xt = b.pad(b.reshape(b.pad(b.transpose("x",[1,0,2,3]),[0,0,0,0,0,0,0,1]),[C,N*T]),[0,1,0,1]);
      const x3 = b.reshape(b.ms("UnfoldTensor",[xt],{dim:1,size:N*T,step:1}),[C*3,N*T]);
      const dp = b.reshape(b.pad(b.transpose("dy",[1,0,2,3]),[0,0,1,0,0,0,1,1]),[O,N,(H+2)*P]);
      const u = b.ms("UnfoldTensor",[dp],{dim:2,size:T,step:P}); // O,N,3,T
      const d3 = b.reshape(b.transpose(u,[0,2,1,3]),[O*3,N*T]);
      const m = b.mm(d3,x3,0,1);
      return b.slice(b.transpose(b.reshape(m,[O,3,C,3]),[0,2,1,3]),[-1],[-1000],[2],[-1]); } },
    { name: "c fold batch, im2col slices (9C x NHW), A=col", build: (b) => {
      const xp = b.pad(b.transpose("x",[1,0,2,3]), [0,0,1,1,0,0,1,1]); const d = b.reshape(b.transpose("dy",[1,0,2,3]), [O,N*HW]);
      const parts: string[] = [];
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(b.slice(xp, [i,j], [i+H,j+W], [2,3]));
      const col = b.reshape(b.concat(parts, 0), [9*C,N*HW]);
      return b.reshape(b.transpose(b.reshape(b.mm(col, d, 0, 1), [9,C,O]), [2,1,0]), [O,C,3,3]); } },
    { name: "d conv formulation", build: (b) => b.transpose(b.op("Conv",[b.transpose("x",[1,0,2,3]),b.transpose("dy",[1,0,2,3])],{pads:[1,1,1,1]}),[1,0,2,3]) },
  ];
  return cands;
}
const shapes: [number, number, number, number, number][] = [[8,32,32,64,48],[8,64,64,32,24],[8,128,128,16,12],[8,256,256,8,6],[8,64,64,64,48],[8,256,32,64,48],[8,256,64,32,24]];
if (sel === "s1" && process.argv[1]!.endsWith("_k1.ts")) for (const s of shapes) { const [N,C,O,H,W] = s;
  await race(`wgrad 3x3 s1 N${N} C${C} O${O} ${H}x${W}`, { x: [N,C,H,W], dy: [N,O,H,W] }, wgrad3(...s), 2*9*N*C*O*H*W/1e9, { rounds: 30 }); }
