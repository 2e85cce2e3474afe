import { race, type Cand, B } from "./_klab.ts";
const P=[1,1,1,1];
const J = () => { const a = new Float32Array(81); for (let i=0;i<9;i++) a[i*9+8-i]=1; return a; };
// flipped, transposed kernel [C,O,3,3] in blocked layout from w [O,C,3,3]
export const wT = (b: B, O: number, C: number) => b.reshape(b.op("MatMul",[b.reshape(b.transpose(b.reshape("w",[O,C,9]),[1,0,2]),[C*O,9]),b.f([9,9],J())]),[C,O,3,3]);
export const blk = (b: B, w: string, O: number, C: number) => b.reshape(b.transpose(b.reshape(b.transpose(b.reshape(w,[O/16,16,C*9]),[0,2,1]),[O/16*(C/16),16,9,16]),[0,2,1,3]),[O,C,3,3]);
if (process.argv[2] !== "s2")
for (const s of [[8,32,32,64,48],[8,64,64,32,24],[8,128,128,16,12],[8,256,256,8,6],[8,256,32,64,48]] as any[]) { const [N,C,O,H,W] = s;
  const cands: Cand[] = [
    { name: "Conv flipped", build: (b) => b.op("Conv",["dy",wT(b,O,C)],{pads:P}) },
    { name: "ConvTranspose", build: (b) => b.op("ConvTranspose",["dy","w"],{pads:P}) },
    { name: "nchwc flipped (J9 then 2 fast T)", build: (b) => b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["dy"]),blk(b,wT(b,O,C),C,O)],{pads:P,kernel_shape:[3,3]})],{channels:C}) },
    { name: "nchwc flip via OC: [O,C9]->[C9,O] first", build: (b) => { // w [O, C,9] -T-> [C,9,O] ; want [Cb,Ob,9',16o,16c]
      const t = b.transpose(b.reshape("w",[O,C*9]),[1,0]); // [C,9,O]
      const u = b.reshape(b.transpose(b.reshape(t,[C/16,16,9*O]),[0,2,1]),[C/16,9,O/16,256]); // [Cb,9,O,16c] = [Cb,9,Ob,16o*16c]
      const v = b.transpose(b.slice(u,[-1],[-10],[1],[-1]),[0,2,1,3]); // Cb,Ob,9',256
      return b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["dy"]),b.reshape(v,[C,O,3,3])],{pads:P,kernel_shape:[3,3]})],{channels:C}); } },
    { name: "col2im: W^T GEMM + Col2Im18", build: (b) => { const g = b.mm(b.reshape("w",[1,O,9*C]),b.reshape("dy",[N,O,H*W]),1,0); return b.op("Col2Im",[g,b.i([H,W]),b.i([3,3])],{pads:P}); } , noCheck: true },
  ];
  await race(`dgrad 3x3 s1 N${N} C${C} O${O} ${H}x${W}`, { dy: [N,O,H,W], w: [O,C,3,3] }, cands, 2*9*N*C*O*H*W/1e9, { rounds: 3 }); }
// stride 2: x [N,C,2H,2W] -> y [N,O,H,W]
const S2: any[] = [[8,32,64,32,24],[8,32,32,32,24],[8,64,128,16,12],[8,128,256,8,6],[8,64,64,64,48],[8,256,64,32,24],[8,32,256,8,6]];
for (const [N,C,O,H,W] of S2) {
  const g = 2*9*N*C*O*H*W/1e9;
  await race(`s2 fwd N${N} C${C} O${O} out ${H}x${W}`, { x: [N,C,2*H,2*W], w: [O,C,3,3] }, [
    { name: "Conv", build: (b) => b.op("Conv",["x","w"],{pads:P,strides:[2,2]}) },
    { name: "nchwc", build: (b) => b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["x"]),blk(b,"w",O,C)],{pads:P,strides:[2,2],kernel_shape:[3,3]})],{channels:O}) },
  ], g, { rounds: 2 });
  await race(`s2 dgrad N${N} C${C} O${O} out ${H}x${W}`, { dy: [N,O,H,W], w: [O,C,3,3] }, [
    { name: "ConvTranspose", build: (b) => b.op("ConvTranspose",["dy","w"],{pads:P,strides:[2,2],output_padding:[1,1]}) },
    { name: "zero-insert + Conv", build: (b) => { const z = b.reshape(b.pad(b.reshape("dy",[N,O,H,1,W,1]),[0,0,0,0,0,0,0,0,0,1,0,1]),[N,O,2*H,2*W]); return b.op("Conv",[z,wT(b,O,C)],{pads:P}); } },
    { name: "zero-insert + nchwc", build: (b) => { const z = b.reshape(b.pad(b.reshape("dy",[N,O,H,1,W,1]),[0,0,0,0,0,0,0,0,0,1,0,1]),[N,O,2*H,2*W]); return b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",[z]),blk(b,wT(b,O,C),C,O)],{pads:P,kernel_shape:[3,3]})],{channels:C}); } },
    { name: "one 2x2 conv -> 4C channels nchwc + DepthToSpace", build: (b) => {
      // dx[2a+p,2b+q] : taps i with (2a+p+1-i) even. p=0: i=1 (dy[a]); p=1: i=0 (dy[a+1]), i=2 (dy[a]).
      // kernel over dy rows (a, a+1): p=0: [w1, 0]; p=1: [w2, w0]. As matrix R[3 taps -> 2*2]
      const R = new Float32Array(9*16); // [i,j] -> [p,q,u,v]
      const m = (p:number,u:number) => p===0 ? (u===0?1:-1) : (u===0?2:0);
      for (let p=0;p<2;p++) for (let q=0;q<2;q++) for (let u=0;u<2;u++) for (let v=0;v<2;v++) { const i=m(p,u), j=m(q,v); if (i>=0&&j>=0) R[(i*3+j)*16+((p*2+q)*2+u)*2+v]=1; }
      const k = b.op("MatMul",[b.reshape("w",[O*C,9]),b.f([9,16],R)]); // [O, C*4(pq), 4]
      const C4 = 4*C;
      const kb = b.reshape(b.transpose(b.reshape(k,[O,C4,4]),[1,0,2]),[C4,O,2,2]);
      const bl = b.reshape(b.transpose(b.reshape(b.transpose(b.reshape(kb,[C4/16,16,O*4]),[0,2,1]),[C4/16*(O/16),16,4,16]),[0,2,1,3]),[C4,O,2,2]);
      const y = b.nc("ReorderOutput",[b.nc("Conv",[b.nc("ReorderInput",["dy"]),bl],{pads:[0,0,1,1],kernel_shape:[2,2]})],{channels:C4});
      return b.op("DepthToSpace",[y],{blocksize:2,mode:"CRD"}); } },
    { name: "one 2x2 conv (plain) + DepthToSpace", build: (b) => {
      const R = new Float32Array(9*16);
      const m = (p:number,u:number) => p===0 ? (u===0?1:-1) : (u===0?2:0);
      for (let p=0;p<2;p++) for (let q=0;q<2;q++) for (let u=0;u<2;u++) for (let v=0;v<2;v++) { const i=m(p,u), j=m(q,v); if (i>=0&&j>=0) R[(i*3+j)*16+((p*2+q)*2+u)*2+v]=1; }
      const k = b.op("MatMul",[b.reshape("w",[O*C,9]),b.f([9,16],R)]);
      const kb = b.reshape(b.transpose(b.reshape(k,[O,4*C,4]),[1,0,2]),[4*C,O,2,2]);
      return b.op("DepthToSpace",[b.op("Conv",["dy",kb],{pads:[0,0,1,1]})],{blocksize:2,mode:"CRD"}); } },
  ], g, { rounds: 2 });
  await race(`s2 wgrad N${N} C${C} O${O} out ${H}x${W}`, { x: [N,C,2*H,2*W], dy: [N,O,H,W] }, [
    { name: "9 strided slices, im2col A=col fold?no", build: (b) => { const xp=b.pad("x",[0,0,1,1,0,0,0,0]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+2*H-1,j+2*W-1],[2,3],[2,2]));
      const col=b.reshape(b.concat(ps,1),[N,9*C,H*W]); const m=b.sum(b.mm(col,b.reshape("dy",[N,O,H*W]),0,1),[0]);
      return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "S2D + split (bmm)", build: (b) => { // planes: [N,4(p,q),C,H,W]
      const s=b.reshape(b.op("SpaceToDepth",["x"],{blocksize:2}),[N,4,C,H,W]); // DCR: channel = (p*2+q)*C + c
      const pl=(k:number)=>b.reshape(b.slice(s,[k],[k+1],[1]),[N,C,H,W]);
      const e0=pl(0), e1=pl(1), o0=pl(2), o1=pl(3); const sh=(t:string)=>b.pad(t,[0,0,0,1,0,0,0,-1]);
      const o3=[sh(o1),o0,o1];
      const X=b.reshape(b.concat([...o3,sh(e1),e0,e1],1),[N,6*C,H*W]); // rows: i=2 (odd) , i=1(even)
      const X0=b.reshape(b.concat(o3,1),[N,3*C,H*W]);
      const d=b.reshape("dy",[N,O,H*W]); const d0=b.pad(d,[0,0,-W,0,0,W]); // i=0: odd row a-1 pairs with dy[a] -> dy shifted up
      const m2=b.sum(b.mm(X,d,0,1),[0]), m0=b.sum(b.mm(X0,d0,0,1),[0]); // [6C,O],[3C,O]
      const m=b.concat([m0,b.slice(m2,[3*C],[6*C],[0]),b.slice(m2,[0],[3*C],[0])],0);
      return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "S2D + split, one 6C x 2O bmm (6/4 waste)", build: (b) => {
      const s=b.reshape(b.op("SpaceToDepth",["x"],{blocksize:2}),[N,4,C,H,W]);
      const q0=b.slice(s,[0],[3],[1],[2]), q1=b.slice(s,[1],[4],[1],[2]); // [N,2(p),C,H,W] q=0 / q=1
      const X=b.reshape(b.concat([b.pad(q1,[0,0,0,0,1,0,0,0,0,-1]),q0,q1],1),[N,6*C,H*W]); // (j),(p),C
      const d=b.reshape("dy",[N,O,H*W]); const d2=b.concat([b.pad(d,[0,0,-W,0,0,W]),d],1); // shifted, plain
      const m=b.reshape(b.sum(b.mm(X,d2,0,1),[0]),[3,2,C,2,O]); // j,p,C,sh,O ; i=0: p=1,sh=0; i=1: p=0,sh=1; i=2: p=1,sh=1
      const t=b.reshape(b.transpose(b.reshape(m,[6*C,2*O]),[1,0]),[2,O,3,2,C]);
      const g=(sh:number,p:number)=>b.reshape(b.slice(t,[sh,p],[sh+1,p+1],[0,3]),[O,1,3,C]);
      return b.reshape(b.transpose(b.reshape(b.concat([g(0,1),g(1,0),g(1,1)],1),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "S2D + split, fold", build: (b) => {
      const s=b.reshape(b.transpose(b.op("SpaceToDepth",["x"],{blocksize:2}),[1,0,2,3]),[4,C,N,H,W]);
      const pl=(k:number)=>b.slice(s,[k],[k+1],[0]);
      const e0=pl(0), e1=pl(1), o0=pl(2), o1=pl(3); const sh=(t:string)=>b.pad(t,[0,0,0,0,1,0,0,0,0,-1]);
      const o1s=sh(o1); 
      const X=b.reshape(b.concat([sh(e1),e0,e1,o1s,o0,o1],0),[6*C,N*H*W]);
      const X0=b.reshape(b.concat([o1s,o0,o1],0),[3*C,N*H*W]);
      const d=b.reshape(b.transpose("dy",[1,0,2,3]),[O,N,H*W]); const d0=b.reshape(b.pad(d,[0,0,-W,0,0,W]),[O,N*H*W]);
      const m=b.concat([b.mm(X0,d0,0,1),b.mm(X,b.reshape(d,[O,N*H*W]),0,1)],0);
      return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
    { name: "9 strided slices, fold, direct T", build: (b) => { const xp=b.pad(b.transpose("x",[1,0,2,3]),[0,0,1,1,0,0,0,0]); const ps:string[]=[]; for(let i=0;i<3;i++)for(let j=0;j<3;j++)ps.push(b.slice(xp,[i,j],[i+2*H-1,j+2*W-1],[2,3],[2,2]));
      const col=b.reshape(b.concat(ps,0),[9*C,N*H*W]); const m=b.mm(col,b.reshape(b.transpose("dy",[1,0,2,3]),[O,N*H*W]),0,1);
      return b.reshape(b.transpose(b.reshape(b.transpose(m,[1,0]),[O,9,C]),[0,2,1]),[O,C,3,3]); } },
  ], g, { rounds: 2 });
}
