// A body in its clothes as solids to draw. Measures are parts of the body's height.

import { type Body, type Limb, onHead } from "./body.ts";
import { add, apply, type Mat3, mix, multiply, rotationX, scale, transpose, type Vec3 } from "./linear.ts";
import { type Look, type Material, plainLook } from "./material.ts";
import { PART_ID, type PartName } from "./part-classes.ts";
import { capsule, ellipsoid, type Solid, type SolidTag } from "./solids.ts";
import type { Outfit } from "./wardrobe.ts";

const SIDES = ["left", "right"] as const;

/** All solids of one person. */
export function figureSolids(body: Body, outfit: Outfit, person: number): Solid[] {
  const tagOf = tagger(body, person);
  return [
    ...trunk(body, outfit, tagOf),
    ...head(body, outfit, tagOf),
    ...hair(body, outfit, tagOf),
    ...SIDES.flatMap((side, i) => arm(body, body.arms[i as 0 | 1], side, outfit, tagOf)),
    ...SIDES.flatMap((side, i) => leg(body, body.legs[i as 0 | 1], side, outfit, tagOf)),
  ];
}

type TagOf = (part: PartName, look: Look, origin: Vec3, frame: Mat3) => SolidTag;

function tagger({ size }: Body, person: number): TagOf {
  return (part, look, origin, frame) => {
    const material: Material = { ...look, origin, axes: transpose(frame), unit: size };
    return { person, part: PART_ID[part], material };
  };
}

function trunk(body: Body, outfit: Outfit, tagOf: TagOf): Solid[] {
  const { size, build, pelvis, pelvisFrame, waist, chestFrame, neck, arms, legs } = body;
  const { girth, belly } = build;
  const top = tagOf("torso", outfit.top, neck, chestFrame);
  const bottom = tagOf("torso", outfit.bottom, pelvis, pelvisFrame);
  const skin = tagOf("head", outfit.skin, neck, chestFrame);
  const [left, right] = [arms[0].joints[0], arms[1].joints[0]];
  const across = (frame: Mat3): Vec3 => apply(frame, [1, 0, 0]);
  const inChest = (offset: Vec3): Vec3 => add(neck, scale(apply(chestFrame, offset), size));
  const girdle = 0.034 * size * girth;
  const wide = 0.082 * size * Math.sqrt(girth) * build.shoulders;
  return [
    capsule(
      {
        from: waist,
        to: inChest([0, 0.085, 0.004]),
        radii: [0.073 * size * girth, wide],
        side: across(chestFrame),
        flatness: 0.66,
      },
      top,
    ),
    capsule({ from: mix(left, right, 0.06), to: mix(left, right, 0.94), radii: [girdle, girdle] }, top),
    capsule(
      {
        from: inChest([0, 0.035, 0.004]),
        to: inChest([0, 0.01, 0.002]),
        radii: [0.052 * size, 0.036 * size],
        side: across(chestFrame),
      },
      top,
    ),
    capsule(
      {
        from: mix(pelvis, waist, 0.35),
        to: waist,
        radii: [0.076 * size * girth, 0.073 * size * girth],
        side: across(pelvisFrame),
        flatness: 0.7,
      },
      top,
    ),
    ellipsoid(
      add(waist, scale(apply(pelvisFrame, [0, 0.025, -0.018 * belly]), size)),
      pelvisFrame,
      [0.072 * size * girth, 0.075 * size, 0.05 * size * girth * belly],
      top,
    ),
    capsule(
      {
        from: mix(legs[0].joints[0], legs[1].joints[0], 0.12),
        to: mix(legs[0].joints[0], legs[1].joints[0], 0.88),
        radii: [0.056 * size * girth, 0.056 * size * girth],
      },
      bottom,
    ),
    ellipsoid(
      add(pelvis, scale(apply(pelvisFrame, [0, -0.035, 0.008]), size)),
      pelvisFrame,
      [0.084 * size * girth * Math.sqrt(build.hips), 0.05 * size, 0.062 * size * girth],
      bottom,
    ),
    capsule(
      {
        from: inChest([0, 0.02, 0]),
        to: onHead(body, [0, 0.01, 0.012]),
        radii: [0.029 * size, 0.026 * size * build.head],
      },
      skin,
    ),
  ];
}

function head(body: Body, outfit: Outfit, tagOf: TagOf): Solid[] {
  const { headFrame } = body;
  const unit = body.size * body.build.head;
  const at = (x: number, y: number, z: number): Vec3 => onHead(body, [x, y, z]);
  const tag = (look: Look): SolidTag => tagOf("head", look, body.head, headFrame);
  const skin = tag(outfit.skin);
  const egg = (centre: Vec3, half: Vec3, what: SolidTag): Solid =>
    ellipsoid(centre, headFrame, scale(half, unit), what);
  const [red, green, blue] = outfit.skin.color;
  const darker = tag(plainLook([red * 0.84, green * 0.8, blue * 0.78]));
  const dark = tag(plainLook([34, 28, 26]));
  const white = tag(plainLook([240, 238, 232]));
  const brow = tag({ ...outfit.hair, creases: 0 });
  const sides = [1, -1].flatMap((s) => [
    egg(at(s * 0.0445, 0.003, 0.006), [0.008, 0.0165, 0.011], darker),
    egg(at(s * 0.0185, -0.009, -0.0475), [0.0085, 0.0052, 0.004], white),
    egg(at(s * 0.0185, -0.009, -0.05), [0.0042, 0.0048, 0.0035], dark),
    egg(at(s * 0.0185, -0.0195, -0.047), [0.0105, 0.0026, 0.005], brow),
  ]);
  const spectacles = [1, -1].flatMap((s) => [
    egg(at(s * 0.0195, -0.008, -0.053), [0.0145, 0.0115, 0.003], tag(plainLook([40, 44, 52]))),
    capsule(
      {
        from: at(s * 0.034, -0.01, -0.048),
        to: at(s * 0.046, -0.006, 0),
        radii: [0.003 * unit, 0.003 * unit],
      },
      dark,
    ),
  ]);
  const beard = [egg(at(0, 0.036, -0.016), [0.0365, 0.036, 0.039], tag(outfit.hair))];
  return [
    egg(at(0, -0.014, 0.003), [0.0445, 0.053, 0.053], skin),
    egg(at(0, 0.02, -0.013), [0.036, 0.045, 0.038], skin),
    ...(outfit.beard ? beard : []),
    capsule(
      { from: at(0, -0.006, -0.05), to: at(0, 0.012, -0.058), radii: [0.0055 * unit, 0.0095 * unit] },
      darker,
    ),
    egg(at(0, 0.035, -0.0465), [0.014, 0.0042, 0.006], tag(plainLook(outfit.lips))),
    ...sides,
    ...(outfit.glasses ? spectacles : []),
  ];
}

function hair(body: Body, { hairStyle, hair: look, headwear, headwearLook }: Outfit, tagOf: TagOf): Solid[] {
  const unit = body.size * body.build.head;
  const tilted = multiply(body.headFrame, rotationX(-0.35));
  const at = (x: number, y: number, z: number): Vec3 => onHead(body, [x, y, z]);
  const tag = tagOf("hair", look, body.head, body.headFrame);
  const egg = (centre: Vec3, half: Vec3, what: SolidTag = tag): Solid =>
    ellipsoid(centre, tilted, scale(half, unit), what);
  const strand = (from: Vec3, to: Vec3, r0: number, r1: number, flatness = 1): Solid =>
    capsule(
      { from, to, radii: [r0 * unit, r1 * unit], side: apply(body.headFrame, [1, 0, 0]), flatness },
      tag,
    );
  const down = apply(body.headFrame, [0, 1, 0]);
  // Long hair hangs: half along the head, half down the picture.
  const hang = (from: Vec3, reach: number): Vec3 =>
    add(from, scale(add(scale(down, 0.5), [0, 0.5, 0]), reach * unit));
  const cover = (grow: number): Solid[] => [
    egg(at(0, -0.024, 0.012), [0.047 + grow, 0.047 + grow, 0.051 + grow]),
  ];
  const curtain = (reach: number): Solid[] => [
    strand(at(0, -0.005, 0.028), hang(at(0, 0.02, 0.034), reach), 0.049, 0.04, 0.6),
    ...[1, -1].map((s) =>
      strand(at(s * 0.04, -0.015, 0.008), hang(at(s * 0.046, 0.01, 0.008), reach * 0.7), 0.017, 0.015),
    ),
  ];
  const styles: Record<Outfit["hairStyle"], () => Solid[]> = {
    bald: () => [],
    cropped: () => cover(0.0005),
    short: () => [...cover(0.005), egg(at(0, 0.01, 0.03), [0.043, 0.036, 0.03])],
    bob: () => [...cover(0.006), ...curtain(0.045)],
    long: () => [...cover(0.005), ...curtain(0.12)],
    ponytail: () => [
      ...cover(0.002),
      strand(at(0, -0.02, 0.06), hang(at(0, -0.005, 0.085), 0.11), 0.016, 0.011),
    ],
    bun: () => [...cover(0.002), egg(at(0, -0.06, 0.05), [0.024, 0.024, 0.024])],
    curly: () => [...cover(0.018), egg(at(0, 0.0, 0.034), [0.054, 0.045, 0.036])],
  };
  const cloth = tagOf("hair", headwearLook, body.head, body.headFrame);
  const brim = (z: number, half: Vec3): Solid =>
    ellipsoid(at(0, -0.036, z), body.headFrame, scale(half, unit), cloth);
  const crown = (height: number): Solid => egg(at(0, -0.034, 0.006), [0.051, height, 0.055], cloth);
  const hats: Record<Outfit["headwear"], () => Solid[]> = {
    none: () => [],
    cap: () => [crown(0.043), brim(-0.06, [0.038, 0.005, 0.034])],
    hat: () => [crown(0.056), brim(0, [0.085, 0.006, 0.088])],
    beanie: () => [crown(0.05)],
  };
  return [...styles[hairStyle](), ...hats[headwear]()];
}

/** A piece of a limb: skin of `radii`, and cloth over its first `cover` (0–1), so much wider at its start and its end. */
function sleeved(
  [from, to]: readonly [Vec3, Vec3],
  [r0, r1]: readonly [number, number],
  cover: number,
  [wideStart, wideEnd]: readonly [number, number],
  tags: { readonly skin: SolidTag; readonly cloth: SolidTag },
): Solid[] {
  const skin = capsule({ from, to, radii: [r0, r1] }, tags.skin);
  if (cover <= 0) return [skin];
  const end = r0 + (r1 - r0) * cover;
  const cloth = capsule(
    { from, to: mix(from, to, cover), radii: [r0 * wideStart, end * wideEnd], open: cover < 1 },
    tags.cloth,
  );
  return cover === 1 ? [cloth] : [skin, cloth];
}

const within = (value: number): number => Math.max(0, Math.min(1, value));

function arm(body: Body, limb: Limb, side: (typeof SIDES)[number], outfit: Outfit, tagOf: TagOf): Solid[] {
  const { size, build } = body;
  const thick = size * build.girth ** 0.7;
  const middle = 1 + (outfit.loose - 1) * 0.6;
  const [shoulder, elbow, wrist, tip] = limb.joints;
  const [upperFrame, lowerFrame, handFrame] = limb.frames;
  const tags = (part: PartName, origin: Vec3, frame: Mat3) => ({
    skin: tagOf(part, outfit.skin, origin, frame),
    cloth: tagOf(part, outfit.top, origin, frame),
  });
  const upper = tags(`${side}_upper_arm`, shoulder, upperFrame);
  const lower = tags(`${side}_lower_arm`, elbow, lowerFrame);
  const hand = tags(`${side}_hand`, wrist, handFrame).skin;
  const inwards = side === "left" ? -1 : 1;
  const across = apply(handFrame, [0, 0, 1]);
  const thumb = add(wrist, scale(apply(handFrame, [inwards * 0.008, 0.042, -0.026]), size));
  return [
    ...sleeved(
      [shoulder, elbow],
      [0.032 * thick, 0.0245 * thick],
      within(outfit.sleeves),
      [1.03, middle],
      upper,
    ),
    ...sleeved(
      [elbow, wrist],
      [0.0245 * thick, 0.017 * thick],
      within(outfit.sleeves - 1),
      [middle, outfit.loose],
      lower,
    ),
    capsule(
      {
        from: mix(wrist, tip, 0.18),
        to: mix(wrist, tip, 0.5),
        radii: [0.0175 * size, 0.022 * size],
        side: across,
        flatness: 0.55,
      },
      hand,
    ),
    capsule(
      {
        from: mix(wrist, tip, 0.5),
        to: tip,
        radii: [0.019 * size, 0.0135 * size],
        side: across,
        flatness: 0.55,
      },
      hand,
    ),
    capsule({ from: mix(wrist, tip, 0.2), to: thumb, radii: [0.009 * size, 0.007 * size] }, hand),
  ];
}

function leg(body: Body, limb: Limb, side: (typeof SIDES)[number], outfit: Outfit, tagOf: TagOf): Solid[] {
  const { size, build } = body;
  const thick = size * build.girth ** 0.8;
  const [hip, knee, ankle, toe] = limb.joints;
  const [upperFrame, lowerFrame, footFrame] = limb.frames;
  const middle = 1 + (outfit.loose - 1) * 0.45;
  const tags = (part: PartName, origin: Vec3, frame: Mat3) => ({
    skin: tagOf(part, outfit.skin, origin, frame),
    cloth: tagOf(part, outfit.bottom, origin, frame),
  });
  const upper = tags(`${side}_upper_leg`, hip, upperFrame);
  const lower = tags(`${side}_lower_leg`, knee, lowerFrame);
  const shaft = tagOf(`${side}_lower_leg`, outfit.shaftLook, knee, lowerFrame);
  const shoe = tagOf(`${side}_foot`, outfit.shoes, ankle, footFrame);
  const trousers = within(outfit.trouserLegs - 1);
  const at = (offset: Vec3): Vec3 => add(ankle, scale(apply(footFrame, offset), size));
  const sole = apply(footFrame, [1, 0, 0]);
  const calf = add(mix(knee, ankle, 0.3), scale(apply(lowerFrame, [0, 0, 0.008]), size));
  const skirtEnd = mix(hip, knee, outfit.skirt);
  const skirt = capsule(
    {
      from: hip,
      to: skirtEnd,
      radii: [0.06 * thick, (0.06 + 0.028 * outfit.skirt) * thick * middle],
      open: true,
    },
    upper.cloth,
  );
  return [
    ...sleeved(
      [hip, knee],
      [0.056 * thick, 0.037 * thick],
      within(outfit.trouserLegs),
      [1.02, middle],
      upper,
    ),
    ...sleeved([knee, ankle], [0.036 * thick, 0.0215 * thick], trousers, [middle, outfit.loose], lower),
    ...(trousers > 0.6
      ? []
      : [
          capsule(
            { from: calf, to: mix(calf, ankle, 0.4), radii: [0.031 * thick, 0.026 * thick] },
            lower.skin,
          ),
        ]),
    ...(outfit.shaft > 0
      ? [
          capsule(
            {
              from: mix(ankle, knee, outfit.shaft),
              to: ankle,
              radii: [0.0245 * thick + 0.01 * outfit.shaft * size, 0.0235 * thick],
            },
            shaft,
          ),
        ]
      : []),
    ...(outfit.skirt > 0 ? [skirt] : []),
    capsule(
      {
        from: at([0, 0.012, 0.012]),
        to: at([0, 0.022, -0.05]),
        radii: [0.025 * size, 0.024 * size],
        side: sole,
        flatness: 0.9,
      },
      shoe,
    ),
    capsule(
      {
        from: at([0, 0.022, -0.045]),
        to: toe,
        radii: [0.026 * size, 0.02 * size],
        side: sole,
        flatness: 0.7,
      },
      shoe,
    ),
  ];
}

/** The smallest upright rectangle around all solids: `[left, top, right, bottom]`. */
export function extent(solids: readonly Solid[]): readonly [number, number, number, number] {
  const of = (i: 0 | 1 | 2 | 3): number[] => solids.map(({ bounds }) => bounds[i]);
  return [Math.min(...of(0)), Math.min(...of(1)), Math.max(...of(2)), Math.max(...of(3))];
}
