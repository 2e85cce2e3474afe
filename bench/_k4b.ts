import { race, type Cand, B, rnd } from "./_klab.ts";
const P=[1,1,1,1];
for (const [N,C,H,W] of [[32,40,64,48],[32,80,32,24],[32,160,16,12],[32,320,8,6],[32,20,64,48],[8,64,64,48]] as any[]) { const HW=H*W, NC=N*C, g=2*9*N*C*HW/1e9;
  await race(`dw wgrad ${N}x${C}x${H}x${W}`, { x:[N,C,H,W], dy:[N,C,H,W] }, [
    { name: "9x slice, FusedMatMul rowdot, sum", build: (b)=>{ const xp=b.pad(b.reshape("x",[1,NC,H,W]),[0,0,1,1,0,0,1,1]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+H,j+W],[2,3])); return b.reshape(b.concat(ps.map((s)=>b.reshape(b.sum(b.reshape(b.mm(b.reshape(s,[NC,1,HW]),b.reshape("dy",[NC,1,HW]),0,1),[N,C]),[0]),[C,1])),1),[C,1,3,3]); } },
    { name: "nchwc dw, kernel = blocked dy", build: (b)=>{ const xb=b.nc("ReorderInput",[b.reshape("x",[1,NC,H,W])]), db=b.reshape(b.nc("ReorderInput",[b.reshape("dy",[1,NC,H,W])]),[NC,1,H,W]);
      const y=b.nc("Conv",[xb,db],{group:NC,pads:P,kernel_shape:[H,W]}); return b.reshape(b.sum(b.reshape(b.nc("ReorderOutput",[y],{channels:NC}),[N,C*9]),[0]),[C,1,3,3]); } },
    { name: "nchwc dw, x,dy already blocked (time only)", noCheck: true, build: (b)=>{ const y=b.nc("Conv",[b.reshape("x",[1,NC,H,W]),b.reshape("dy",[NC,1,H,W])],{group:NC,pads:P,kernel_shape:[H,W]}); return b.reshape(b.sum(b.reshape(b.nc("ReorderOutput",[y],{channels:NC}),[N,C*9]),[0]),[C,1,3,3]); } },
  ], g, {rounds:2});
  await race(`dw fwd`, { x:[N,C,H,W], w:[C,1,3,3] }, [
    { name: "Conv group C", build: (b)=>b.op("Conv",["x","w"],{group:C,pads:P}) },
    { name: "nchwc dw on [1,NC] view, tiled weights", build: (b)=>{ const wt=b.reshape(b.transpose(b.reshape(b.op("Expand",[b.reshape("w",[1,C,9]),b.i([N,C,9])]),[NC/16,16,9]),[0,2,1]),[NC,1,3,3]);
      return b.reshape(b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",[b.reshape("x",[1,NC,H,W])]),wt],{group:NC,pads:P,kernel_shape:[3,3]})],{channels:NC}),[N,C,H,W]); } },
  ], g, {rounds:2});
}
for (const [N,C,H,W] of [[32,60,64,48],[32,120,32,24]] as any[]) { const h=H/2,w=W/2,NC=N*C; await race(`dw s2 ${N}x${C}x${H}x${W}`, { x:[N,C,H,W], w:[C,1,3,3], dy:[N,C,h,w] }, [
  { name: "fwd Conv", build:(b)=>b.op("Conv",["x","w"],{group:C,pads:P,strides:[2,2]}) },
  { name: "fwd nchwc", build:(b)=>{ const wt=b.reshape(b.transpose(b.reshape(b.op("Expand",[b.reshape("w",[1,C,9]),b.i([N,C,9])]),[NC/16,16,9]),[0,2,1]),[NC,1,3,3]); return b.reshape(b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",[b.reshape("x",[1,NC,H,W])]),wt],{group:NC,pads:P,strides:[2,2],kernel_shape:[3,3]})],{channels:NC}),[N,C,h,w]); } },
  ], 18*NC*h*w/1e9, {rounds:2});
 await race(`dw s2 wgrad`, { x:[N,C,H,W], dy:[N,C,h,w] }, [
  { name: "nchwc, kernel=dy dil 2", build:(b)=>{ const y=b.nc("Conv",[b.nc("ReorderInput",[b.reshape("x",[1,NC,H,W])]),b.reshape(b.nc("ReorderInput",[b.reshape("dy",[1,NC,h,w])]),[NC,1,h,w])],{group:NC,pads:[1,1,0,0],dilations:[2,2],kernel_shape:[h,w]}); return b.reshape(b.sum(b.reshape(b.nc("ReorderOutput",[y],{channels:NC}),[N,C*9]),[0]),[C,1,3,3]); } },
  { name: "9 strided slices rowdot", build:(b)=>{ const xp=b.pad("x",[0,0,1,1,0,0,0,0]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+H-1,j+W-1],[2,3],[2,2])); return b.reshape(b.concat(ps.map((s)=>b.reshape(b.sum(b.reshape(b.mm(b.reshape(s,[NC,1,h*w]),b.reshape("dy",[NC,1,h*w]),0,1),[N,C]),[0]),[C,1])),1),[C,1,3,3]); } },
  ], 18*NC*h*w/1e9, {rounds:2});
 await race(`dw s2 dgrad`, { dy:[N,C,h,w], w:[C,1,3,3] }, [
  { name: "ConvTranspose", build:(b)=>b.op("ConvTranspose",["dy","w"],{group:C,pads:P,strides:[2,2],output_padding:[1,1]}) },
  { name: "2x2 dw conv, 4 maps + DepthToSpace", build:(b)=>{ const R = new Float32Array(9*16); const m=(p:number,u:number)=>p===0?(u===0?1:-1):(u===0?2:0);
      for (let p=0;p<2;p++) for (let q=0;q<2;q++) for (let u=0;u<2;u++) for (let v=0;v<2;v++) { const i=m(p,u), j=m(q,v); if (i>=0&&j>=0) R[(i*3+j)*16+((p*2+q)*2+u)*2+v]=1; }
      return b.op("DepthToSpace",[b.op("Conv",["dy",b.reshape(b.op("MatMul",[b.reshape("w",[C,9]),b.f([9,16],R)]),[4*C,1,2,2])],{group:C,pads:[0,0,1,1]})],{blocksize:2,mode:"CRD"}); } },
  ], 18*NC*h*w/1e9, {rounds:2});
}
{ const N=8,C=64,H=64,W=48; await race(`depth to space [8,256,64,48]`, { y:[N,4*C,H,W] }, [
  { name:"DepthToSpace CRD", build:(b)=>b.op("DepthToSpace",["y"],{blocksize:2,mode:"CRD"}) },
  { name:"transpose 6D", build:(b)=>b.reshape(b.transpose(b.reshape("y",[N*C,2,2,H,W]),[0,3,1,4,2]),[N,C,2*H,2*W]) },
  { name:"two single-axis transposes", build:(b)=>{ const t=b.transpose(b.reshape("y",[N*C*2,2,H*W]),[0,2,1]); return b.reshape(b.transpose(b.reshape(t,[N*C,2,H,2*W]),[0,2,1,3]),[N,C,2*H,2*W]); } },
  { name:"ConvTranspose-like: nchwc none", build:(b)=>b.op("DepthToSpace",[b.reshape(b.transpose(b.reshape("y",[N,C,4,H*W]),[0,2,1,3]),[N,4*C,H,W])],{blocksize:2,mode:"DCR"}) },
 ], 0, {rounds:2}); }
for (const [N,C,O,H,W] of [[8,256,64,64,48],[8,64,256,64,48]] as any[]) await race(`1x1 wgrad+dgrad ${C}->${O}`, { x:[N,C,H,W], dy:[N,O,H,W], w:[O,C] }, [
  { name:"wgrad A=dy", noCheck:true, build:(b)=>b.sum(b.mm(b.reshape("dy",[N,O,H*W]),b.reshape("x",[N,C,H*W]),0,1),[0]) },
  { name:"wgrad A=x", noCheck:true, build:(b)=>b.transpose(b.sum(b.mm(b.reshape("x",[N,C,H*W]),b.reshape("dy",[N,O,H*W]),0,1),[0]),[1,0]) },
  { name:"dgrad Conv w^T", noCheck:true, build:(b)=>b.op("Conv",["dy",b.reshape(b.transpose("w",[1,0]),[C,O,1,1])]) },
  { name:"dgrad MatMul w^T", noCheck:true, build:(b)=>b.op("MatMul",[b.transpose("w",[1,0]),b.reshape("dy",[N,O,H*W])]) },
  { name:"dgrad FusedMatMul transA", noCheck:true, build:(b)=>b.mm("w",b.reshape("dy",[N,O,H*W]),1,0) },
  { name:"dgrad nchwc", noCheck:true, build:(b)=>b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["dy"]),b.reshape(b.transpose(b.reshape(b.transpose("w",[1,0]),[C/16,16,O]),[0,2,1]),[C,O,1,1])],{kernel_shape:[1,1]})],{channels:C}) },
 ], 2*N*C*O*H*W/1e9, {rounds:2});
