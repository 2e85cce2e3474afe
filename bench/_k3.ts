import { race, type Cand, B, rnd } from "./_klab.ts";
for (const [N,C,H,W] of [[8,32,64,48],[8,128,16,12],[8,256,64,48]] as any[]) {
  const HW=H*W, X=[N,C,H,W], M=N*HW; const ones=(n:number)=>new Float32Array(n).fill(1);
  const E: Cand[] = [
    ["Relu",(b:B)=>b.op("Relu",["x"])],["Add",(b:B)=>b.op("Add",["x","dy"])],["Mul",(b:B)=>b.op("Mul",["x","dy"])],["Sub",(b:B)=>b.op("Sub",["x","dy"])],
    ["Sum4",(b:B)=>b.op("Sum",["x","dy","x","dy"])],["Sign",(b:B)=>b.op("Sign",["x"])],["Greater0",(b:B)=>b.op("Greater",["x",b.f([],[0])]),"bool"],
    ["Cast bool",(b:B)=>b.op("Cast",["x"],{to:9})],["Cast bool + Where",(b:B)=>b.op("Where",[b.op("Cast",["x"],{to:9}),"dy",b.f([],[0])])],
    ["Greater+Where",(b:B)=>b.op("Where",[b.op("Greater",["x",b.f([],[0])]),"dy",b.f([],[0])])],["Greater+Cast+Mul",(b:B)=>b.op("Mul",["dy",b.op("Cast",[b.op("Greater",["x",b.f([],[0])])],{to:1})])],
    ["Sign(relu)*dy",(b:B)=>b.op("Mul",["dy",b.op("Sign",[b.op("Relu",["x"])])])],["Mul scalar",(b:B)=>b.op("Mul",["x",b.f([],[2])])],["Mul [1,C,1,1]",(b:B)=>b.op("Mul",["x",b.f([1,C,1,1],rnd(C))])],
    ["Clip 0..max*big trick: Min(Mul(y,1e30),1)*dy",(b:B)=>b.op("Mul",["dy",b.op("Clip",[b.op("Mul",["x",b.f([],[1e30])]),b.f([],[0]),b.f([],[1])])])],
    ["HardSigmoid(alpha=1e30,beta=0) *dy",(b:B)=>b.op("Mul",["dy",b.op("HardSigmoid",["x"],{alpha:{f:1e30},beta:{f:0}})])],
    ["Sigmoid",(b:B)=>b.op("Sigmoid",["x"])],["Sqrt",(b:B)=>b.op("Sqrt",["x"])],["Identity",(b:B)=>b.op("Identity",["x"])],
    ["FusedConv dw1x1 scale+shift",(b:B)=>b.ms("FusedConv",["x",b.f([C,1,1,1],rnd(C)),b.f([C],rnd(C))],{group:C})],
    ["FusedConv dw1x1 +relu +sum",(b:B)=>b.ms("FusedConv",["x",b.f([C,1,1,1],rnd(C)),b.f([C],rnd(C)),"dy"],{group:C,activation:"Relu"})],
    ["BN inference as scale+shift",(b:B)=>b.op("BatchNormalization",["x",b.f([C],rnd(C)),b.f([C],rnd(C)),b.f([C],rnd(C)),b.f([C],ones(C))])],
    ["InstanceNorm",(b:B)=>b.op("InstanceNormalization",["x",b.f([C],rnd(C)),b.f([C],rnd(C))])],
    ["nchwc dwConv1x1 (blocked in) scale+shift+sum+relu",(b:B)=>b.nc("Conv",["x",b.f([C,1,1,1],rnd(C)),b.f([C],rnd(C)),"dy"],{group:C,activation:"Relu",kernel_shape:[1,1]})],
  ].map(([name,build]:any)=>({name,build,noCheck:true}));
  await race(`elementwise ${X.join("x")}`, { x: X, dy: X }, E, N*C*HW/1e9, { rounds: 2 });
  const R: Cand[] = [
    ["ReduceSum(0,2,3)",(b:B)=>b.sum("x",[0,2,3])],
    ["ReduceSum(2) of [N,C,HW] then (0)",(b:B)=>b.sum(b.sum(b.reshape("x",[N,C,HW]),[2]),[0])],
    ["ReduceMean(0,2,3)",(b:B)=>b.op("ReduceMean",["x"],{axes:[0,2,3],keepdims:0})],
    ["GlobalAveragePool + sum0",(b:B)=>b.sum(b.reshape(b.op("GlobalAveragePool",["x"]),[N,C]),[0])],
    ["MatMul ones",(b:B)=>b.sum(b.reshape(b.op("MatMul",[b.reshape("x",[1,N*C,HW]),b.f([HW,1],ones(HW))]),[N,C]),[0])],
    ["Conv dw global kernel", (b:B)=>b.sum(b.reshape(b.op("Conv",[b.reshape("x",[1,N*C,HW]),b.f([N*C,1,HW],ones(N*C*HW))],{group:N*C}),[N,C]),[0])],
  ].map(([name,build]:any)=>({name,build,tol:1}));
  await race(`sum x`, { x: X, dy: X }, R, N*C*HW/1e9, { rounds: 2 });
  const R2: Cand[] = [
    ["Mul + ReduceSum(0,2,3)",(b:B)=>b.sum(b.op("Mul",["x","dy"]),[0,2,3])],
    ["Mul + ReduceSum(2),(0)",(b:B)=>b.sum(b.sum(b.reshape(b.op("Mul",["x","dy"]),[N,C,HW]),[2]),[0])],
    ["MatMul [NC,1,HW]x[NC,HW,1]",(b:B)=>b.sum(b.reshape(b.op("MatMul",[b.reshape("x",[N*C,1,HW]),b.reshape("dy",[N*C,HW,1])]),[N,C]),[0])],
    ["FusedMatMul [NC,1,HW]x[NC,1,HW]T",(b:B)=>b.sum(b.reshape(b.mm(b.reshape("x",[N*C,1,HW]),b.reshape("dy",[N*C,1,HW]),0,1),[N,C]),[0])],
    ["Conv group NC kernel dy",(b:B)=>b.sum(b.reshape(b.op("Conv",[b.reshape("x",[1,N*C,H,W]),b.reshape("dy",[N*C,1,H,W])],{group:N*C}),[N,C]),[0])],
  ].map(([name,build]:any)=>({name,build}));
  await race(`sum x*dy`, { x: X, dy: X }, R2, N*C*HW/1e9, { rounds: 2 });
  const bnf = (b:B,x="x") => b.ops("BatchNormalization",[x,"g","be",b.f([C],ones(C)),b.f([C],ones(C))],{training_mode:1,momentum:{f:0}},3);
  await race(`BN forward train + relu`, { x: X, dy: X, g: [C], be: [C] }, [
    { name: "BN train + Relu", build: (b) => b.op("Relu",[bnf(b)[0]!]) },
    { name: "sums (ReduceSum, Mul+ReduceSum) + FusedConv relu", tol: 1, build: (b) => {
      const m=b.op("Mul",[b.sum("x",[0,2,3]),b.f([],[1/M])]); const q=b.op("Mul",[b.op("ReduceSumSquare",["x"],{axes:[0,2,3],keepdims:0}),b.f([],[1/M])]);
      const v=b.op("Sub",[q,b.op("Mul",[m,m])]); const s=b.op("Div",["g",b.op("Sqrt",[b.op("Add",[v,b.f([],[1e-5])])])]);
      return b.ms("FusedConv",["x",b.reshape(s,[C,1,1,1]),b.op("Sub",["be",b.op("Mul",[m,s])])],{group:C,activation:"Relu"}); } },
    { name: "GAP + MatMul xx + FusedConv relu", build: (b) => {
      const m=b.op("Mul",[b.sum(b.reshape(b.op("GlobalAveragePool",["x"]),[N,C]),[0]),b.f([],[1/N])]); const x3=b.reshape("x",[N*C,1,HW]);
      const q=b.op("Mul",[b.sum(b.reshape(b.op("MatMul",[x3,b.reshape("x",[N*C,HW,1])]),[N,C]),[0]),b.f([],[1/M])]);
      const v=b.op("Sub",[q,b.op("Mul",[m,m])]); const s=b.op("Div",["g",b.op("Sqrt",[b.op("Add",[v,b.f([],[1e-5])])])]);
      return b.ms("FusedConv",["x",b.reshape(s,[C,1,1,1]),b.op("Sub",["be",b.op("Mul",[m,s])])],{group:C,activation:"Relu"}); } },
  ], N*C*HW/1e9, { rounds: 2 });
  // backward: inputs x, dy, g, mu, iv(invstd, positive irrelevant for timing)
  const vec = (b:B,s1:string,s2:string) => { // s2 = sum dy*x
    const dg=b.op("Mul",["iv",b.op("Sub",[s2,b.op("Mul",["mu",s1])])]); const a=b.op("Mul",["g","iv"]);
    const bb=b.op("Mul",[b.op("Mul",[a,b.op("Mul",[dg,"iv"])]),b.f([],[-1/M])]); const c=b.op("Sub",[b.op("Mul",[b.op("Mul",[a,s1]),b.f([],[-1/M])]),b.op("Mul",[bb,"mu"])]);
    return [a,bb,c] as const; };
  const r4=(b:B,v:string)=>b.reshape(v,[C,1,1,1]); const r1=(b:B,v:string)=>b.reshape(v,[1,C,1,1]);
  const sA=(b:B)=>[b.sum("dy",[0,2,3]),b.sum(b.op("Mul",["x","dy"]),[0,2,3])] as const;
  const sB=(b:B)=>[b.sum(b.reshape(b.op("GlobalAveragePool",[b.op("Identity",["dy"])]),[N,C]),[0]),b.sum(b.reshape(b.op("MatMul",[b.reshape("x",[N*C,1,HW]),b.reshape("dy",[N*C,HW,1])]),[N,C]),[0])] as const;
  const sC=(b:B)=>[b.sum("dy",[0,2,3]),b.sum(b.reshape(b.op("MatMul",[b.reshape("x",[N*C,1,HW]),b.reshape("dy",[N*C,HW,1])]),[N,C]),[0])] as const;
  await race(`BN backward dx`, { x: X, dy: X, g: [C], mu: [C], iv: [C] }, [
    { name: "naive xhat", build: (b) => { const xh=b.op("Mul",[b.op("Sub",["x",r1(b,"mu")]),r1(b,"iv")]); const s1=b.sum("dy",[0,2,3],1), s2=b.sum(b.op("Mul",["dy",xh]),[0,2,3],1);
      const im=b.f([],[1/M]); return b.op("Mul",[r1(b,b.op("Mul",["g","iv"])),b.op("Sub",[b.op("Sub",["dy",b.op("Mul",[s1,im])]),b.op("Mul",[xh,b.op("Mul",[s2,im])])])]); } },
    { name: "ReduceSum, Mul+ReduceSum; FusedConv x2 (sum input)", build: (b) => { const [a,bb,c]=vec(b,...sA(b)); return b.ms("FusedConv",["x",r4(b,bb),c,b.ms("FusedConv",["dy",r4(b,a)],{group:C})],{group:C}); } },
    { name: "ReduceSum, MatMul; FusedConv x2", build: (b) => { const [a,bb,c]=vec(b,...sC(b)); return b.ms("FusedConv",["x",r4(b,bb),c,b.ms("FusedConv",["dy",r4(b,a)],{group:C})],{group:C}); } },
    { name: "ReduceSum, MatMul; Mul,Mul,Add,Add", build: (b) => { const [a,bb,c]=vec(b,...sC(b)); return b.op("Add",[b.op("Add",[b.op("Mul",["dy",r1(b,a)]),b.op("Mul",["x",r1(b,bb)])]),r1(b,c)]); } },
    { name: "ReduceSum, MatMul; BNinf x2 + Add", build: (b) => { const [a,bb,c]=vec(b,...sC(b)); const z=b.f([C],new Float32Array(C)), o=b.f([C],ones(C).fill(1-1e-5)); return b.op("Add",[b.op("BatchNormalization",["dy",a,z,z,o]),b.op("BatchNormalization",["x",bb,c,z,o])]); } },
    { name: "ReduceSum, MatMul; BNinf + FusedConv sum", build: (b) => { const [a,bb,c]=vec(b,...sC(b)); const z=b.f([C],new Float32Array(C)), o=b.f([C],ones(C).fill(1-1e-5)); return b.ms("FusedConv",["x",r4(b,bb),c,b.op("BatchNormalization",["dy",a,z,z,o])],{group:C}); } },
  ], N*C*HW/1e9, { rounds: 2 });
}
