// What drawn persons look like: skin, hair, clothes.

import type { Color } from "../image/draw.ts";
import type { Random } from "../random/random.ts";
import { between, chance, pick } from "./choose.ts";
import { hsv, type Look, plainLook, randomCloth, randomColor } from "./material.ts";

/** From light to dark. */
const SKIN_TONES: readonly Color[] = [
  [244, 214, 190],
  [232, 190, 160],
  [214, 162, 122],
  [188, 136, 96],
  [150, 102, 70],
  [112, 74, 52],
  [78, 52, 40],
];
const HAIR_COLORS: readonly Color[] = [
  [28, 24, 22],
  [48, 34, 26],
  [92, 60, 36],
  [140, 98, 56],
  [205, 170, 110],
  [150, 70, 36],
  [150, 148, 146],
  [225, 222, 216],
];

export const HAIR_STYLES = ["short", "cropped", "bob", "long", "ponytail", "bun", "curly", "bald"] as const;
export const HEADWEAR = ["none", "cap", "hat", "beanie"] as const;

/** How a person is dressed. Lengths of sleeves and legs are parts of the limb from its root: 0 bare … 2 to its end. */
export interface Outfit {
  readonly skin: Look;
  readonly lips: Color;
  readonly hair: Look;
  readonly hairStyle: (typeof HAIR_STYLES)[number];
  readonly headwear: (typeof HEADWEAR)[number];
  readonly headwearLook: Look;
  readonly beard: boolean;
  readonly glasses: boolean;
  readonly top: Look;
  /** 0 none, 1 to the elbow, 2 to the wrist. */
  readonly sleeves: number;
  readonly bottom: Look;
  /** 0 none, 1 to the knee, 2 to the ankle. */
  readonly trouserLegs: number;
  /** 0 none, else to that part of the thigh. */
  readonly skirt: number;
  readonly shoes: Look;
  /** Part of the shank that boots or socks cover. */
  readonly shaft: number;
  readonly shaftLook: Look;
  /** Thickness of cloth over the limb, as a factor. */
  readonly loose: number;
}

/** A random outfit. */
export function randomOutfit(random: Random): Outfit {
  const tone = pick(random, SKIN_TONES);
  const warm = between(random, [-8, 8]);
  const skin: Color = [tone[0] + warm, tone[1] + warm / 2, tone[2]];
  const top = randomCloth(random);
  const skirted = chance(random, 0.16);
  const dress = skirted && chance(random, 0.5);
  const suit = chance(random, 0.12);
  const shoeColor = chance(random, 0.5) ? hsv(0, 0, between(random, [0.05, 0.3])) : randomColor(random);
  const barefoot = chance(random, 0.15);
  const boots = chance(random, 0.15);
  const jeans = hsv(between(random, [0.57, 0.63]), between(random, [0.2, 0.6]), between(random, [0.2, 0.6]));
  const bottom = chance(random, 0.3) ? plainLook(jeans, 0.4, 7) : randomCloth(random);
  return {
    skin: plainLook(skin),
    lips: [skin[0] * 0.78, skin[1] * 0.52, skin[2] * 0.52],
    hair: plainLook(pick(random, HAIR_COLORS), 0.8, Math.floor(random() * 1e6)),
    hairStyle: pick(random, HAIR_STYLES),
    headwear: chance(random, 0.75) ? "none" : pick(random, HEADWEAR.slice(1)),
    headwearLook: randomCloth(random),
    beard: chance(random, 0.12),
    glasses: chance(random, 0.12),
    top,
    sleeves: pick(random, [0, 0.35, 0.55, 0.7, 0.9, 1.4, 1.92, 1.92, 1.92]),
    bottom: dress || suit ? top : bottom,
    trouserLegs: skirted
      ? pick(random, [0, 0, 1.9])
      : pick(random, [0.3, 0.55, 0.8, 1.3, 1.9, 1.95, 1.95, 1.95]),
    skirt: skirted ? between(random, [0.45, 1]) : 0,
    shoes: barefoot ? plainLook(skin) : plainLook(shoeColor, 0.2),
    shaft: barefoot ? 0 : boots ? between(random, [0.3, 0.8]) : between(random, [0.05, 0.3]),
    shaftLook: boots
      ? plainLook(shoeColor, 0.2)
      : plainLook(chance(random, 0.6) ? [232, 230, 226] : randomColor(random)),
    loose: between(random, [1.04, 1.35]),
  };
}
