// Left and right read from keypoint names: the mirror partner of a name, and which side a keypoint is on.

/** The side of the body (the person's own left and right). */
export type Side = "left" | "right" | "center";

/**
 * Spellings of "left" that published sets use, each with the matching "right":
 * `left_eye`, `leftEye`, `EyeLeft`; `l_eye`, `eye-l`, `L eye`; `LEye`.
 */
const SPELLINGS: readonly { left: RegExp; right: RegExp; mirror: (marker: string) => string }[] = [
  { left: /left/i, right: /right/i, mirror: (marker) => matchCase(marker, "right") },
  {
    left: /(?<![A-Za-z])l(?![A-Za-z])/i,
    right: /(?<![A-Za-z])r(?![A-Za-z])/i,
    mirror: (marker) => matchCase(marker, "r"),
  },
  { left: /^L(?=[A-Z])/, right: /^R(?=[A-Z])/, mirror: () => "R" },
];

/** Every pair `[left, right]` of 0-based indices whose names differ only in the side, in order of the left ones. */
export function flipPairsFromNames(names: readonly string[]): [number, number][] {
  const indexOfName = new Map(names.map((name, index) => [name, index]));
  return names.flatMap((name, index): [number, number][] => {
    const spelling = SPELLINGS.find(({ left }) => left.test(name));
    const partner = spelling && indexOfName.get(name.replace(spelling.left, spelling.mirror));
    return partner === undefined ? [] : [[index, partner]];
  });
}

/** The side a name states; `center` when it states none. */
export function sideOfName(name: string): Side {
  for (const { left, right } of SPELLINGS) {
    if (left.test(name)) return "left";
    if (right.test(name)) return "right";
  }
  return "center";
}

/** `word` in the letter case of `example`: left → right, Left → Right, LEFT → RIGHT. */
function matchCase(example: string, word: string): string {
  if (example === example.toUpperCase()) return word.toUpperCase();
  const capital = example[0] === example[0]?.toUpperCase();
  return capital ? word[0]!.toUpperCase() + word.slice(1) : word;
}
