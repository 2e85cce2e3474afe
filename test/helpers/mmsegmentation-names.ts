// mmsegmentation's names of segmentation networks, written out from its modules: ConvModule (`conv`, `bn`), FCNHead, OCRHead.

/** Official name (its beginning) and mmsegmentation's, for the plain head. */
const FCN: readonly (readonly [string, string])[] = [
  ["last_layer.0.", "decode_head.convs.0.conv."],
  ["last_layer.1.", "decode_head.convs.0.bn."],
  ["last_layer.3.", "decode_head.conv_seg."],
];

const CONTEXT = "ocr_distri_head.object_context_block.";
const BLOCK = "decode_head.1.object_context_block.";

/** The same for OCR, a cascade of two heads. */
const OCR: readonly (readonly [string, string])[] = [
  ["aux_head.0.", "decode_head.0.convs.0.conv."],
  ["aux_head.1.", "decode_head.0.convs.0.bn."],
  ["aux_head.3.", "decode_head.0.conv_seg."],
  ["conv3x3_ocr.0.", "decode_head.1.bottleneck.conv."],
  ["conv3x3_ocr.1.", "decode_head.1.bottleneck.bn."],
  [`${CONTEXT}f_pixel.0.`, `${BLOCK}query_project.0.conv.`],
  [`${CONTEXT}f_pixel.1.0.`, `${BLOCK}query_project.0.bn.`],
  [`${CONTEXT}f_pixel.2.`, `${BLOCK}query_project.1.conv.`],
  [`${CONTEXT}f_pixel.3.0.`, `${BLOCK}query_project.1.bn.`],
  [`${CONTEXT}f_object.0.`, `${BLOCK}key_project.0.conv.`],
  [`${CONTEXT}f_object.1.0.`, `${BLOCK}key_project.0.bn.`],
  [`${CONTEXT}f_object.2.`, `${BLOCK}key_project.1.conv.`],
  [`${CONTEXT}f_object.3.0.`, `${BLOCK}key_project.1.bn.`],
  [`${CONTEXT}f_down.0.`, `${BLOCK}value_project.conv.`],
  [`${CONTEXT}f_down.1.0.`, `${BLOCK}value_project.bn.`],
  [`${CONTEXT}f_up.0.`, `${BLOCK}out_project.conv.`],
  [`${CONTEXT}f_up.1.0.`, `${BLOCK}out_project.bn.`],
  ["ocr_distri_head.conv_bn_dropout.0.", `${BLOCK}bottleneck.conv.`],
  ["ocr_distri_head.conv_bn_dropout.1.0.", `${BLOCK}bottleneck.bn.`],
  ["cls_head.", "decode_head.1.conv_seg."],
];

/** Biases that mmsegmentation's convolutions before a normalisation do without, and the normalisation behind each. */
export const DROPPED_BIASES: readonly (readonly [bias: string, mean: string])[] = [
  ["last_layer.0.bias", "last_layer.1.running_mean"],
  ["aux_head.0.bias", "aux_head.1.running_mean"],
  ["conv3x3_ocr.0.bias", "conv3x3_ocr.1.running_mean"],
];

/** mmsegmentation's name of a weight. */
export function mmsegmentationName(official: string): string {
  const row = [...FCN, ...OCR].find(([prefix]) => official.startsWith(prefix));
  return row ? row[1] + official.slice(row[0].length) : `backbone.${official}`;
}
