// Names under which our training checkpoints keep what is not part of the model.

/** Begins the name of every tensor that only a resumed run reads: `training.moment1.<state-dict key>`. */
export const TRAINING_PREFIX = "training.";
