import { race, type Cand } from "./_klab.ts";
const shapes: any[] = [[8,32,32,64,48],[8,64,64,32,24],[8,128,128,16,12],[8,256,256,8,6],[8,64,64,64,48],[8,256,32,64,48]];
for (const s of shapes) { const [N,C,O,H,W] = s; const P=[1,1,1,1];
  const fast = (b: any) => b.reshape(b.op("Transpose",[b.op("Transpose",[b.reshape("w",[O/16,16,C*9])],{perm:[0,2,1]})],{perm:[0,1,2]}),[O,C,3,3]);
  const wblk = (b: any) => { // OIHW -> [Ob,Ib,9,16i,16o]
    const t = b.reshape(b.transpose(b.reshape("w",[O/16,16,C*9]),[0,2,1]),[O/16*(C/16),16,9,16]); // Ob,Ib,16i,9,16o
    return b.reshape(b.transpose(t,[0,2,1,3]),[O,C,3,3]); };
  const cands: Cand[] = [
    { name: "Conv", build: (b) => b.op("Conv",["x","w"],{pads:P}) },
    { name: "Conv all", level: "all", build: (b) => b.op("Conv",["x","w"],{pads:P}) },
    { name: "nchwc", build: (b) => b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"],{}),wblk(b)],{pads:P,kernel_shape:[3,3]})],{channels:O}) },
    { name: "nchwc slowT", build: (b) => b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"],{}),b.reshape(b.transpose(b.reshape("w",[O/16,16,C/16,16,9]),[0,2,4,3,1]),[O,C,3,3])],{pads:P,kernel_shape:[3,3]})],{channels:O}) },
    { name: "manual im2col GEMM W·col", build: (b) => { const xp=b.pad("x",[0,0,1,1,0,0,1,1]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+H,j+W],[2,3]));
      const col=b.reshape(b.concat(ps,1),[N,9*C,H*W]); const w2=b.reshape(b.transpose(b.reshape("w",[O,C,9]),[0,2,1]),[O,9*C]); return b.reshape(b.op("MatMul",[w2,col]),[N,O,H,W]); } },
    { name: "fold: Conv on [1,C,N*(H+?)..] tall image", build: (b) => { // stack images along H with zero rows between
      const t=b.reshape(b.pad(b.transpose("x",[1,0,2,3]),[0,0,0,0,0,0,1,0]),[1,C,N*(H+1),W]); const y=b.op("Conv",[t,"w"],{pads:P}); return b.transpose(b.slice(b.reshape(y,[O,N,H+1,W]),[0],[H],[2]),[1,0,2,3]); } },
    { name: "GEMM split: 3 cols concat + fold, sum of 3", build: (b) => { // rows by output shift
      const xt=b.transpose("x",[1,0,2,3]); const x3=b.reshape(b.concat([b.pad(xt,[0,0,0,1,0,0,0,-1]),xt,b.pad(xt,[0,0,0,-1,0,0,0,1])],0),[3*C,N*H*W]);
      const w3=b.reshape(b.transpose(b.reshape("w",[O,C,3,3]),[2,0,3,1]),[3*O,3*C]); const m=b.reshape(b.op("MatMul",[w3,x3]),[3,O,N,H*W]);
      const g=(i:number)=>b.reshape(b.slice(m,[i],[i+1],[0]),[O,N,H*W]);
      return b.reshape(b.transpose(b.op("Sum",[b.pad(g(0),[0,0,W,0,0,-W]),g(1),b.pad(g(2),[0,0,-W,0,0,W])]),[1,0,2]),[N,O,H,W]); } },
  ];
  await race(`conv fwd 3x3 N${N} C${C} O${O} ${H}x${W}`, { x: [N,C,H,W], w: [O,C,3,3] }, cands, 2*9*N*C*O*H*W/1e9, { rounds: 3 }); }
for (const [N,C,O,H,W] of [[8,64,256,64,48],[8,256,64,64,48],[8,64,32,32,24],[8,256,128,8,6]] as any[]) {
  await race(`conv fwd 1x1 N${N} C${C} O${O} ${H}x${W}`, { x: [N,C,H,W], w: [O,C,1,1] }, [
    { name: "Conv", build: (b) => b.op("Conv",["x","w"],{}) },
    { name: "MatMul bcast", build: (b) => b.reshape(b.op("MatMul",[b.reshape("w",[O,C]),b.reshape("x",[N,C,H*W])]),[N,O,H,W]) },
    { name: "nchwc", build: (b) => b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"],{}),b.reshape(b.transpose(b.reshape("w",[O/16,16,C]),[0,2,1]),[O,C,1,1])],{kernel_shape:[1,1]})],{channels:O}) },
  ], 2*N*C*O*H*W/1e9);
}
