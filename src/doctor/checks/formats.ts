// Which kinds of annotations a check is for.

/** COCO files with keypoints. */
export const COCO = ["coco"] as const;
/** COCO files with boxes and masks alone. */
export const INSTANCES = ["instances"] as const;
/** Files in COCO's format. */
export const COCO_FILES = ["coco", "instances"] as const;
/** Every file of annotations. */
export const ANY = ["coco", "mpii", "instances"] as const;
