// The public API.

export type { CocoKeypointAnnotation, CocoKeypointDataset } from "./data/coco.ts";
export { readCocoKeypoints } from "./data/coco.ts";
export type { CocoImage } from "./data/coco-images.ts";
export {
  type CocoCategory,
  type CocoInstance,
  type CocoInstanceDataset,
  type InstanceOutline,
  outlineMask,
  readCocoInstances,
} from "./data/coco-instances.ts";
export {
  type CocoDetection,
  type CocoKeypointResult,
  readCocoDetections,
  readCocoResults,
  writeCocoResults,
} from "./data/coco-results.ts";
export {
  findLabelledPictures,
  type LabelledPicture,
  type PairFolders,
  pairFoldersOf,
} from "./data/segmentation-pairs.ts";
export { readVocInstances, type VocOptions } from "./data/voc.ts";
export {
  type Examination,
  type ExaminationCounts,
  type ExamineOptions,
  examineDatasets,
} from "./doctor/examine.ts";
export { reportText } from "./doctor/report.ts";
export {
  type ExamineSegmentationOptions,
  examineSegmentationSets,
  type SegmentationExamination,
} from "./doctor/segmentation/examine-segmentation.ts";
export type { Finding } from "./doctor/types.ts";
export { ERROR_CODES, type ErrorCode, HRNetError } from "./errors.ts";
export { type Detection, type DetectOptions, Detector, type DetectorOptions } from "./estimators/detector.ts";
export {
  type CocoEvaluationOptions,
  type CocoPoseEvaluation,
  evaluateOnCoco,
} from "./estimators/evaluate-coco.ts";
export { evaluateOnMpii, type MpiiEvaluationOptions } from "./estimators/evaluate-mpii.ts";
export {
  evaluateSegmentation,
  type SegmentationEvaluation,
  type SegmentationEvaluationOptions,
} from "./estimators/evaluate-segmentation.ts";
export { type PersonDetector, personsOf } from "./estimators/person-detector.ts";
export {
  type EstimateOptions,
  PoseEstimator,
  type PoseEstimatorOptions,
  type PoseRequest,
  type PoseResult,
} from "./estimators/pose-estimator.ts";
export {
  type ClassArea,
  type Segmentation,
  Segmenter,
  type SegmenterOptions,
  type SegmentOptions,
} from "./estimators/segmenter.ts";
export { differentiate } from "./graph/differentiate.ts";
export type { Affine } from "./image/affine.ts";
export { type DecodeOptions, decodeImage, type ImageSource, type RawPixels } from "./image/decode.ts";
export { type EncodedFormat, encodeImage } from "./image/encode.ts";
export { decodeLabelMap, encodeLabelMap, type LabelMap } from "./image/label-map.ts";
export type { RgbImage } from "./image/rgb-image.ts";
export { ConfusionMatrix, type SegmentationFigures } from "./metrics/confusion-matrix.ts";
export {
  type CategoryFigures,
  type DetectionEvalOptions,
  type DetectionEvaluation,
  type DetectionResult,
  type DetectionStats,
  type DetectionTruth,
  type DetectionTruthSet,
  evaluateDetections,
} from "./metrics/detection-eval.ts";
export { evaluateKeypoints, type KeypointEvaluation, type KeypointStats } from "./metrics/keypoint-eval.ts";
export { evaluatePckh, type PckhResult } from "./metrics/pckh.ts";
export type { ModelDescription, Provenance } from "./model-file/description.ts";
export {
  type ImportOptions,
  type ImportReport,
  importStateDict,
  type Model,
} from "./model-file/import-checkpoint.ts";
export {
  type LoadedModel,
  type LoadOptions,
  loadModel,
  loadRunnable,
  saveModel,
} from "./model-file/load-model.ts";
export { type Precision, type RunnableModel, readOnnxModel, toOnnx } from "./model-file/onnx-model.ts";
export { figuresOf, type ModelFigures } from "./models/complexity.ts";
export { findVariant } from "./models/find-variant.ts";
export { buildNetwork, type Network, type NetworkConfig, parseNetworkConfig } from "./models/network.ts";
export { VARIANTS, type Variant } from "./models/variants.ts";
export { type BoxInput, checkBoxes } from "./pose/boxes.ts";
export { type BoxesFile, readBoxesFile } from "./pose/boxes-file.ts";
export {
  createHeatmapCodec,
  HEATMAP_CODECS,
  type HeatmapCodec,
  type HeatmapCodecOptions,
} from "./pose/codecs/heatmap-codec.ts";
export { type DrawablePerson, type DrawPoseOptions, drawPoses } from "./pose/draw-pose.ts";
export { oksNms, type ScoredPose, softOksNms } from "./pose/oks-nms.ts";
export {
  boxToCenterScale,
  type CenterScale,
  type CropKind,
  centerScaleFromOfficial,
  cropMatrix,
  toImageCoords,
} from "./pose/transforms.ts";
export type { Box, Keypoint, Person, ScoredBox } from "./pose/types.ts";
export { describeRecipe, type RecipeKey } from "./recipe/describe.ts";
export { listRecipes, parseRecipe, readRecipe } from "./recipe/read-recipe.ts";
export { learningRateAt, type RunPosition } from "./recipe/schedule.ts";
export type { Recipe, RecipeInput } from "./recipe/schema.ts";
export { type DeviceReport, describeDevices } from "./runtime/describe-devices.ts";
export { openSession } from "./runtime/node.ts";
export {
  DEVICES,
  type Device,
  type ModelSession,
  type RunOptions,
  type SessionOptions,
  type StatefulSession,
  type StatefulSessionOptions,
  type ValueSpec,
} from "./runtime/session.ts";
export { openSessionPool, type SessionPool, type SessionPoolOptions } from "./runtime/session-pool.ts";
export { openStatefulSession } from "./runtime/stateful.ts";
export { readClassTable } from "./segmentation/class-file.ts";
export { type ClassTable, type ClassTableInput, defineClassTable } from "./segmentation/class-table.ts";
export { CLASS_TABLES, classTableByName } from "./segmentation/class-tables.ts";
export { type DrawSegmentationOptions, drawSegmentation } from "./segmentation/draw-segmentation.ts";
export { parseSkeleton } from "./skeleton/parse-skeleton.ts";
export { defineSkeleton, type Skeleton, type SkeletonInput } from "./skeleton/skeleton.ts";
export { SKELETONS, skeletonByName } from "./skeleton/skeletons.ts";
export {
  type SyntheticDatasetOptions,
  type SyntheticDatasetSummary,
  writeSyntheticDataset,
} from "./synthetic/dataset.ts";
export { PART_CLASSES, type PartClass } from "./synthetic/part-classes.ts";
export {
  type SyntheticPerson,
  type SyntheticScene,
  type SyntheticSceneOptions,
  syntheticScene,
} from "./synthetic/scene.ts";
export { encodeNpy, readNpy } from "./tensor/npy.ts";
export { type DType, type Tensor, tensor } from "./tensor/tensor.ts";
export { type StepResult, TrainingSession, type TrainingSessionOptions } from "./train/training-session.ts";
export type { TrainingProgress, TrainingResult, TrainingRunOptions } from "./training-runs/run-options.ts";
export { runTraining } from "./training-runs/training-run.ts";
export type { Checkpoint } from "./weights/checkpoint.ts";
export {
  type DownloadedCheckpoint,
  type DownloadOptions,
  type DownloadProgress,
  downloadCheckpoint,
} from "./weights/download.ts";
export { PUBLISHED } from "./weights/published.ts";
export type { PublishedCheckpoint } from "./weights/published-checkpoint.ts";
export { readCheckpoint } from "./weights/read-checkpoint.ts";
export { findPublished, listPublished } from "./weights/registry.ts";
