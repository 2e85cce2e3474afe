// Limits of the numbers in network configurations: they come with model files, and a graph is built before weights are.

import { z } from "zod";

/** Channels, classes, planes: twice the widest layer of the published networks. */
export const channelCount = z.number().int().min(1).max(4096);

/** Blocks, modules or layers in a row: ResNet-152 has 36. Keeps any configuration below a few hundred thousand nodes. */
export const repeatCount = z.number().int().min(1).max(64);
