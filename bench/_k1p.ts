import { prof } from "./_klab.ts";
import { wgrad3 } from "./_k1.ts";
for (const s of [[8,32,32,64,48],[8,128,128,16,12],[8,256,256,8,6]] as any[]) { const [N,C,O,H,W] = s; const cs = wgrad3(N,C,O,H,W);
 for (const n of ["S2","b im2col","c fold"]) await prof(s.join(), { x: [N,C,H,W], dy: [N,O,H,W] }, cs.find((c) => c.name.startsWith(n))!); }
