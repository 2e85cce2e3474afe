import { race, type Cand, B, rnd } from "./_klab.ts";
const P=[1,1,1,1];
const J = () => { const a = new Float32Array(81); for (let i=0;i<9;i++) a[i*9+8-i]=1; return a; };
for (const [N,C,H,W] of [[32,40,64,48],[32,80,32,24],[32,160,16,12],[32,320,8,6],[32,20,64,48]] as any[]) { const HW=H*W, g=2*9*N*C*HW/1e9;
  await race(`dw fwd ${N}x${C}x${H}x${W}`, { x:[N,C,H,W], w:[C,1,3,3] }, [
    { name: "Conv group C", build: (b)=>b.op("Conv",["x","w"],{group:C,pads:P}) },
    ...(C%16===0?[{ name: "nchwc dw", build: (b:B)=>b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"]),b.reshape(b.transpose(b.reshape("w",[C/16,16,9]),[0,2,1]),[C,1,3,3])],{group:C,pads:P,kernel_shape:[3,3]})],{channels:C}) }]:
      [{ name: "nchwc dw padC", build: (b:B)=>{ const Cp=Math.ceil(C/16)*16; const wp=b.pad(b.reshape("w",[C,9]),[0,0,Cp-C,0]); return b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"]),b.reshape(b.transpose(b.reshape(wp,[Cp/16,16,9]),[0,2,1]),[Cp,1,3,3])],{group:Cp,pads:P,kernel_shape:[3,3]})],{channels:C}); } }]),
  ], g, {rounds:2});
  await race(`dw dgrad`, { dy:[N,C,H,W], w:[C,1,3,3] }, [
    { name: "Conv flipped (MatMul J)", build: (b)=>b.op("Conv",["dy",b.reshape(b.op("MatMul",[b.reshape("w",[C,9]),b.f([9,9],J())]),[C,1,3,3])],{group:C,pads:P}) },
    { name: "ConvTranspose", build: (b)=>b.op("ConvTranspose",["dy","w"],{group:C,pads:P}) },
  ], g, {rounds:1});
  const NC=N*C;
  const sl=(b:B)=>{ const xp=b.pad(b.reshape("x",[1,NC,H,W]),[0,0,1,1,0,0,1,1]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+H,j+W],[2,3])); return ps; };
  await race(`dw wgrad`, { x:[N,C,H,W], dy:[N,C,H,W] }, [
    { name: "Conv group N*C, kernel dy (pad1)", build: (b)=>b.reshape(b.sum(b.reshape(b.op("Conv",[b.reshape("x",[1,NC,H,W]),b.reshape("dy",[NC,1,H,W])],{group:NC,pads:P}),[N,C*9]),[0]),[C,1,3,3]) },
    { name: "9x slice,Mul,ReduceSum(0,2,3)", build: (b)=>b.reshape(b.concat(sl(b).map((s)=>b.sum(b.op("Mul",[b.reshape(s,[N,C,H,W]),"dy"]),[0,2,3])).map((v)=>b.reshape(v,[C,1])),1),[C,1,3,3]) },
    { name: "9x slice, FusedMatMul rowdot, sum", build: (b)=>b.reshape(b.concat(sl(b).map((s)=>b.reshape(b.sum(b.reshape(b.mm(b.reshape(s,[NC,1,HW]),b.reshape("dy",[NC,1,HW]),0,1),[N,C]),[0]),[C,1])),1),[C,1,3,3]) },
    { name: "3+3 shifts FusedMatMul [NC,3,HW]x[NC,3,HW]T", build: (b)=>{ const x="x"; const cat=(ps:string[])=>b.reshape(b.concat(ps.map((p)=>b.reshape(p,[NC,1,HW])),1),[NC,3,HW]);
      const x3=cat([b.pad(x,[0,0,0,1,0,0,0,-1]),x,b.pad(x,[0,0,0,-1,0,0,0,1])]); const d=b.reshape("dy",[NC,1,HW]); const d3=b.concat([b.pad(d,[0,0,-W,0,0,W]),d,b.pad(d,[0,0,W,0,0,-W])],1);
      return b.reshape(b.sum(b.reshape(b.mm(d3,x3,0,1),[N,C*9]),[0]),[C,1,3,3]); } },
    { name: "3 x-shifts concat A, 3 dy mm -> [NC,3,1]", build: (b)=>{ const x="x"; const x3=b.reshape(b.concat([b.pad(x,[0,0,0,1,0,0,0,-1]),x,b.pad(x,[0,0,0,-1,0,0,0,1])].map((p)=>b.reshape(p,[NC,1,HW])),1),[NC,3,HW]); const d=b.reshape("dy",[NC,1,HW]);
      return b.reshape(b.concat([b.pad(d,[0,0,-W,0,0,W]),d,b.pad(d,[0,0,W,0,0,-W])].map((dd)=>b.reshape(b.sum(b.reshape(b.mm(x3,dd,0,1),[N,C*3]),[0]),[C,1,3])),1),[C,1,3,3]); } },
    { name: "full im2col [NC,9,HW] x dy [NC,1,HW]T", build: (b)=>{ const col=b.concat(sl(b).map((s)=>b.reshape(s,[NC,1,HW])),1); return b.reshape(b.sum(b.reshape(b.mm(col,b.reshape("dy",[NC,1,HW]),0,1),[N,C*9]),[0]),[C,1,3,3]); } },
    { name: "Conv C groups, N as in-channels, kernel dy", build: (b)=>{ const xt=b.reshape(b.transpose("x",[1,0,2,3]),[1,C*N,H,W]); const dt=b.transpose("dy",[1,0,2,3]); return b.reshape(b.op("Conv",[xt,dt],{group:C,pads:P}),[C,1,3,3]); } },
  ], g, {rounds:2});
}
for (const [N,C,H,W,f] of [[8,32,64,48,2],[8,32,64,48,4],[8,32,64,48,8]] as any[]) {
  const h=H/f,w=W/f;
  await race(`nearest up x${f} backward [${N},${C},${H},${W}]`, { dy:[N,C,H,W] }, [
    { name: "AveragePool*f2", build:(b)=>b.op("Mul",[b.op("AveragePool",["dy"],{kernel_shape:[f,f],strides:[f,f]}),b.f([],[f*f])]) },
    { name: "Reshape+ReduceSum(3,5)", build:(b)=>b.sum(b.reshape("dy",[N,C,h,f,w,f]),[3,5]) },
    { name: "ReduceSum last then row", build:(b)=>b.sum(b.reshape(b.sum(b.reshape("dy",[N*C*H*w,f]),[1]),[N*C*h,f,w]),[1]) },
    { name: "ReduceSum row then last", build:(b)=>b.sum(b.reshape(b.sum(b.reshape("dy",[N*C*h,f,W]),[1]),[N*C*h*w,f]),[1]) },
    { name: "dw Conv stride f", build:(b)=>b.op("Conv",["dy",b.f([C,1,f,f],new Float32Array(C*f*f).fill(1))],{group:C,strides:[f,f]}) },
    { name: "MatMul cols + ReduceSum rows", build:(b)=>{ const m=new Float32Array(W*w); for(let i=0;i<W;i++)m[i*w+Math.floor(i/f)]=1; return b.reshape(b.op("MatMul",[b.sum(b.reshape("dy",[N*C*h,f,W]),[1]),b.f([W,w],m)]),[N,C,h,w]); } },
    { name: "nchwc AveragePool (reorders)", build:(b)=>b.op("Mul",[b.nc("ReorderOutput",[b.nc("AveragePool",[b.nc("ReorderInput",["dy"])],{kernel_shape:[f,f],strides:[f,f]})],{channels:C}),b.f([],[f*f])]) },
    { name: "LpPool p=1? skip; Conv w/ 1 channel [NC,1,H,W]", build:(b)=>b.op("Conv",[b.reshape("dy",[N*C,1,H,W]),b.f([1,1,f,f],new Float32Array(f*f).fill(1))],{strides:[f,f]}) },
  ].map((c)=>({...c})), N*C*H*W/1e9, {rounds:2});
  await race(`nearest up fwd`, { x:[N,C,h,w] }, [
    { name:"Resize", build:(b)=>b.op("Resize",["x","",b.f([4],[1,1,f,f])],{mode:"nearest",coordinate_transformation_mode:"asymmetric",nearest_mode:"floor"}) },
    { name:"Upsample nchwc", build:(b)=>b.nc("ReorderOutput",[b.nc("Upsample",[b.nc("ReorderInput",["x"])],{scales:[1,1,f,f]})],{channels:C}) },
    { name:"Expand", build:(b)=>b.reshape(b.op("Expand",[b.reshape("x",[N*C,h,1,w,1]),b.i([N*C,h,f,w,f])]),[N,C,H,W]) },
  ], N*C*H*W/1e9, {rounds:2});
}
{ const N=32,C=20,h=16,w=12,H=64,W=48; const up=(n:number,m:number)=>{ const a=new Float32Array(n*m); for(let i=0;i<m;i++){const s=i*(n-1)/(m-1),k=Math.min(n-2,Math.floor(s)),t=s-k; a[k*m+i]=1-t; a[(k+1)*m+i]=t;} return a; };
  const tr=(a:Float32Array,n:number,m:number)=>{ const r=new Float32Array(n*m); for(let i=0;i<n;i++)for(let j=0;j<m;j++)r[j*n+i]=a[i*m+j]!; return r; };
  await race(`bilinear fwd [${N},${C},${h},${w}]->[${H},${W}]`, { x:[N,C,h,w] }, [
    { name:"Resize linear align", build:(b)=>b.op("Resize",["x","","",b.i([N,C,H,W])],{mode:"linear",coordinate_transformation_mode:"align_corners"}) },
    { name:"2 MatMul", build:(b)=>b.op("MatMul",[b.f([H,h],tr(up(h,H),h,H)),b.op("MatMul",["x",b.f([w,W],up(w,W))])]) },
  ], 0, {rounds:2});
  await race(`bilinear bwd`, { dy:[N,C,H,W] }, [
    { name:"MatMul rows(left) first, then cols", build:(b)=>b.op("MatMul",[b.op("MatMul",[b.f([h,H],up(h,H)),"dy"]),b.f([W,w],tr(up(w,W),w,W))]) },
    { name:"cols first flat 2D, then rows left", build:(b)=>b.op("MatMul",[b.f([h,H],up(h,H)),b.reshape(b.op("MatMul",[b.reshape("dy",[N*C*H,W]),b.f([W,w],tr(up(w,W),w,W))]),[N,C,H,w])]) },
  ], 0, {rounds:2});
}
{ const N=32,C=40,H=64,W=48;
  await race(`shuffle/split/concat [${N},${C},${H},${W}]`, { x:[N,C,H,W] }, [
    { name:"shuffle Reshape+Transpose", noCheck:true, build:(b)=>b.reshape(b.transpose(b.reshape("x",[N,2,C/2,H*W]),[0,2,1,3]),[N,C,H,W]) },
    { name:"Gather axis1", noCheck:true, build:(b)=>b.op("Gather",["x",b.i(Array.from({length:C},(_,i)=>(i%2)*C/2+(i>>1)))],{axis:1}) },
    { name:"Split2 + Concat", noCheck:true, build:(b)=>b.concat(b.ops("Split",["x"],{axis:1},2),1) },
    { name:"Slice half", noCheck:true, build:(b)=>b.slice("x",[0],[C/2],[1]) },
    { name:"2 Pads + Add (concat-free)", noCheck:true, build:(b)=>b.pad("x",[0,C,0,0,0,0,0,0]) },
  ], 0, {rounds:2}); }
