// The classes of body parts that drawn pictures are labelled with.

/** A class of pixels: its value in a label picture, its name, and a colour to show it in. */
export interface PartClass {
  readonly id: number;
  readonly name: string;
  readonly color: readonly [red: number, green: number, blue: number];
}

const NAMES_AND_COLORS = [
  ["background", 0, 0, 0],
  ["head", 240, 200, 160],
  ["hair", 120, 80, 40],
  ["torso", 220, 60, 60],
  ["left_upper_arm", 255, 150, 0],
  ["right_upper_arm", 0, 150, 255],
  ["left_lower_arm", 255, 210, 0],
  ["right_lower_arm", 0, 210, 255],
  ["left_hand", 255, 255, 140],
  ["right_hand", 150, 255, 255],
  ["left_upper_leg", 170, 0, 90],
  ["right_upper_leg", 40, 120, 0],
  ["left_lower_leg", 230, 80, 170],
  ["right_lower_leg", 110, 200, 60],
  ["left_foot", 255, 170, 220],
  ["right_foot", 190, 255, 150],
] as const;

/** Name of a part class. */
export type PartName = (typeof NAMES_AND_COLORS)[number][0];

/**
 * Sixteen classes in the order of their ids; left and right are the person's own. The neck belongs to the head, the
 * pelvis to the torso, clothes to what they cover.
 */
export const PART_CLASSES: readonly PartClass[] = NAMES_AND_COLORS.map(([name, ...color], id) => ({
  id,
  name,
  color,
}));

/** The id of a class. */
export const PART_ID = Object.fromEntries(PART_CLASSES.map(({ id, name }) => [name, id])) as Readonly<
  Record<PartName, number>
>;
