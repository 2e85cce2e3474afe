import { race } from "./_klab.ts";
// reference: GEMM rates
for (const [m, n, k, bt] of [[512,512,512,1],[288,32,3072,8],[32,288,3072,8],[96,96,3072,8],[192,192,768,8],[576,64,768,8],[64,576,768,8],[384,384,192,8],[768,768,384,1],[2304,256,384,1],[1152,128,1536,1],[384,384,1536,1]] as number[][]) {
  await race(`gemm M${m} N${n} K${k} x${bt}`, { a: [bt!, m!, k!], b: [bt!, n!, k!], bt: [bt!, k!, n!], at: [bt!, k!, m!] }, [
    { name: "A·B^T", build: (b) => b.mm("a", "b", 0, 1) },
    { name: "A·B", build: (b) => b.mm("a", "bt") , noCheck: true},
    { name: "A^T·B", build: (b) => b.mm("at", "bt", 1, 0) , noCheck: true},
  ], 2 * m! * n! * k! * bt! / 1e9);
}
await race("null", { a: [8] }, [{ name: "slice", build: () => "a" }], 0);
