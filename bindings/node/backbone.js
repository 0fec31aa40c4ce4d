// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/**
 * libbackbone for Node.js: features, logits and gradients of a ResNet, on a CPU, from PyTorch checkpoints.
 *
 * This file and backbone_node.c are the whole binding: Node 18 and later, no packages. With backbone.h beside them,
 *
 *     cc -std=c99 -O2 -shared -fPIC -I/usr/include/node backbone_node.c -o backbone.node
 *
 * makes the part that this file loads. The library is opened by the first call, as the file that `load` names, else as
 * the one that the environment variable BACKBONE_LIBRARY names, else as libbackbone.so.1 by the system's loader.
 *
 * Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by `close`, or some time
 * after it was collected; it is large, so close it. `forwardAsync` computes beside JavaScript, in a thread of libuv's
 * pool; any number may run at a time, and a network that is closed meanwhile is freed after the last of them. All other
 * calls compute on the thread that makes them, which does nothing else until they return: train in a worker
 * (node:worker_threads), which needs a network of its own. Every failure is an Error with the library's own message,
 * its `status` (STATUS_*) and, for a checkpoint that does not fit, `report` (JSON).
 */

'use strict';

const addon = require('./backbone.node');

const constants = {
  STATUS_INVALID_ARGUMENT: 1,
  STATUS_OUT_OF_MEMORY: 2,
  STATUS_FILE_NOT_FOUND: 3,
  STATUS_IO: 4,
  STATUS_BAD_CHECKPOINT: 5,
  STATUS_MISMATCH: 6,
  STATUS_UNKNOWN_NAME: 7,
  STATUS_CANCELLED: 8,
  STATUS_STALE: 9,
  STATUS_NOT_FINITE: 10,
  STAGE_C2: 1,
  STAGE_C3: 2,
  STAGE_C4: 4,
  STAGE_C5: 8,
  STAGE_ALL: 15,
  STAGE_C1: 16,
  STAGE_POOLED: 32,
  STAGE_LOGITS: 64,
  CHANNELS_AS_GIVEN: 0,
  CHANNELS_REVERSED: 1,
  NORMALIZE_UINT8: 0,
  NORMALIZE_ALL: 1,
  ARITHMETIC_FAST: 0,
  ARITHMETIC_DIRECT: 1,
  STYLE_PYTORCH: 0,
  STYLE_CAFFE: 1,
  BLOCK_BASIC: 1,
  BLOCK_BOTTLENECK: 2,
  STEM_SINGLE: 1,
  STEM_DEEP: 2,
  STEM_TIERED: 3,
  STEM_SMALL: 4,
  STEM_POOLING_MAX: 1,
  STEM_POOLING_CONVOLUTION: 2,
  STEM_POOLING_NONE: 3,
  SHORTCUT_PROJECTION: 1,
  SHORTCUT_AVERAGE: 2,
  SHORTCUT_SUBSAMPLE: 3,
  SHORTCUT_EVERYWHERE: 4,
  SHORTCUT_3X3: 5,
  SHORTCUT_NONE: 6,
  NORM_BATCH: 1,
  NORM_GROUP: 2,
  ATTENTION_NONE: 1,
  ATTENTION_SE: 2,
  ATTENTION_SE_QUARTER: 3,
  ATTENTION_ECA: 4,
  ANTI_ALIASING_NONE: 1,
  ANTI_ALIASING_BLUR: 2,
  ANTI_ALIASING_AVERAGE: 3,
  DILATION_PREVIOUS: 0,
  DILATION_WHOLE: 1,
  HEAD_EXACT: 0,
  HEAD_NEW: 1,
  TRAINABLE_ALL: 0,
  TRAINABLE_NORMS: 1,
  TRAINABLE_HEAD: 2,
  IGNORED_LABEL: -100,
  OPTIMIZER_SGD: 0,
  OPTIMIZER_ADAMW: 1,
  PARAMETERS_WEIGHTS: 1,
  PARAMETERS_NORMS: 2,
  PARAMETERS_BIASES: 4,
  IMAGENET_MEAN: Object.freeze([123.675, 116.28, 103.53]),
  IMAGENET_STD_DEV: Object.freeze([58.395, 57.12, 57.375]),
};

// The fields of backbone_options that are integers, in its order.
const INTEGERS = [
  'depth', 'inChannels', 'baseChannels', 'outStages', 'frozenStages', 'normEval', 'zeroInitResidual', 'threads',
  'channelOrder', 'arithmetic', 'style', 'normalization', 'numClasses', 'outputStride', 'dilatedStages', 'dilationRule',
  'block', 'groups', 'widthPerGroup', 'stem', 'stemChannels', 'stemPooling', 'shortcut', 'norm', 'attention',
  'antiAliasing', 'preactivation',
];
const FLAGS = ['normEval', 'zeroInitResidual'];

function invalid(message) {
  return Object.assign(new Error(message), { status: constants.STATUS_INVALID_ARGUMENT });
}

// Text for C, which would end at a zero byte; undefined and null stay unchanged.
function text(label, value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(`${label} is a ${typeof value}; it must be a string`);
  if (value.includes('\0')) throw invalid(`${label} contains a zero byte`);
  return value;
}

function requiredPath(path) {
  if (typeof path !== 'string') throw invalid(`path is a ${typeof path}; it must be a string`);
  return text('path', path);
}

function number(label, value) {
  if (typeof value !== 'number') throw invalid(`${label} is a ${typeof value}; it must be a number`);
  return value;
}

function int32(label, value) {
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (!Number.isInteger(number) || number !== (number | 0)) {
    throw invalid(`${label} is ${value}; it must be an integer of 32 bits`);
  }
  return number;
}

function int32s(label, values) {
  if (values === undefined || values === null) return null;
  return Int32Array.from(values, (value, index) => int32(`${label}[${index}]`, value));
}

function perChannel(label, values, channels) {
  if (values === undefined || values === null) return null;
  if (values.length !== channels) {
    throw invalid(`${label} has ${values.length} values; it must have one for each of in_channels, ${channels}`);
  }
  return Float32Array.from(values);
}

// The addon's arguments for an object of options.
function optionArguments(options) {
  const defaults = addon.defaultOptions();
  const known = [...INTEGERS, 'normEps', 'mean', 'stdDev', 'architecture', 'blockCounts', 'blockWidths'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`unknown option '${unknown}'`);
  const architecture = text('architecture', options.architecture);
  if (architecture !== undefined) defaults[INTEGERS.indexOf('depth')] = 0; // 50 would contradict it
  const integers = INTEGERS.map((name, index) => int32(name, options[name] ?? defaults[index]));
  const [mean, stdDev] = [['mean', options.mean], ['std_dev', options.stdDev]]
    .map(([label, values]) => perChannel(label, values, integers[1]));
  const counts = int32s('block_counts', options.blockCounts) ?? new Int32Array(4);
  if (counts.length > 4) throw invalid(`block_counts has ${counts.length} numbers; it must have at most 4`);
  const widths = int32s('block_widths', options.blockWidths);
  const normEps = options.normEps ?? defaults[INTEGERS.length];
  return [Int32Array.from(integers), normEps, mean, stdDev, counts, widths, architecture];
}

function loadArguments({ strict, key, prefix, allowMissing, ignoreModules, maxStreamBytes = 0, head = 0 } = {}) {
  const flags = [strict, allowMissing, ignoreModules].map((flag) => Number(Boolean(flag)));
  const numbers = Int32Array.from([...flags, int32('head', head)]);
  return [numbers, BigInt.asUintN(64, BigInt(maxStreamBytes)), text('key', key), text('prefix', prefix)];
}

// Sizes as C's integers; they may be numbers or BigInts.
function sizes(shape) {
  if (!Array.isArray(shape) || shape.length !== 4) throw invalid('the shape must be an array of N, C, H and W');
  const values = shape.map((size) => {
    if (typeof size !== 'bigint' && !Number.isInteger(size)) throw invalid(`the shape has ${size}, no integer`);
    return BigInt(size);
  });
  const far = values.find((size) => BigInt.asIntN(64, size) !== size);
  if (far !== undefined) throw invalid(`the shape has ${far}, which is not an integer of 64 bits`);
  return BigInt64Array.from(values);
}

function checkElements(label, data, kind, shape) {
  if (!(data instanceof kind)) throw invalid(`${label} must be a ${kind.name}`);
  const needed = shape.reduce((product, size) => product * size, 1n);
  if (BigInt(data.length) === needed) return;
  throw invalid(`${label} has ${data.length} elements; shape (${shape.join(', ')}) needs ${needed}`);
}

// `data` is a Float32Array or a Uint8Array (as Buffer is); nothing is copied before the call.
function image(data, kind, shape, layout) {
  if (layout !== 'nchw' && layout !== 'nhwc') throw invalid(`layout is '${layout}'; it must be 'nchw' or 'nhwc'`);
  return { data, kind, shape, layout };
}

/** Elements that the network takes as they are: a Float32Array, in memory NCHW unless `layout` is 'nhwc'. */
const float32 = (data, shape, layout = 'nchw') => image(data, Float32Array, shape, layout);

/** Pixels of which the network computes (x - mean) / stdDev: a Uint8Array, in memory NHWC unless `layout` is 'nchw'. */
const uint8 = (data, shape, layout = 'nhwc') => image(data, Uint8Array, shape, layout);

/** Opens the library, before any other call; without a path: as every first call looks for it. */
function load(path) {
  addon.load(text('path', path));
}

/** The version of the library, "major.minor.patch". */
function version() {
  load();
  return addon.version();
}

/** The names that the option `architecture` accepts: 'resnet50', 'wide_resnet50_2', ... */
function architectures() {
  load();
  return addon.architectures();
}

// What has a handle of the addon.
class Owned {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Frees it; may be called again. All else then fails. */
  close() {
    addon.close(this.#handle);
  }

  static handleOf(kind, value) {
    if (value instanceof kind) return value.#handle;
    throw invalid(`${kind.name} expected`);
  }
}

/** The data that a forward pass keeps for the backward pass: `newTape`. May be closed before or after its network. */
class Tape extends Owned {}

/** SGD or AdamW with its state: `newOptimizer`. May be closed before or after its network. */
class Optimizer extends Owned {}

const tapeOf = (value) => Owned.handleOf(Tape, value);
const optimizerOf = (value) => Owned.handleOf(Optimizer, value);

function floats(label, values) {
  if (values instanceof Float32Array) return values;
  throw invalid(`${label} must be a Float32Array`);
}

// The sizes of an output or a gradient, whose elements are as many.
function checkedShape(label, { data, shape }) {
  const checked = sizes(shape);
  checkElements(label, data, Float32Array, checked);
  return checked;
}

// The addon's arguments for gradients of outputs, some of which are null: their elements, and four sizes for each.
function gradientArguments(label, gradients) {
  if (gradients.length > 7) throw invalid(`${label} has ${gradients.length} gradients; no network has so many outputs`);
  const shapes = gradients.map((gradient, i) => (
    gradient ? checkedShape(`${label}[${i}]`, gradient) : new BigInt64Array(4)));
  const data = gradients.map((gradient) => (gradient ? gradient.data : null));
  return [data, BigInt64Array.from(shapes.flatMap((shape) => Array.from(shape)))];
}

/**
 * The mean cross entropy of logits ({ data, shape } of shape [N, K, 1, 1]) and an array of N labels, and its gradient
 * for the logits: { loss, gradient }. Images with the label IGNORED_LABEL are ignored.
 */
function crossEntropy(logits, labels, labelSmoothing = 0) {
  load();
  const shape = checkedShape('logits', logits);
  const gradient = { data: new Float32Array(logits.data.length), shape: [...logits.shape] };
  const classes = BigInt64Array.from(labels, (label) => BigInt(label));
  const smoothing = number('labelSmoothing', labelSmoothing);
  return { loss: addon.crossEntropy(logits.data, shape, classes, smoothing, gradient.data), gradient };
}

// The fields of backbone_optimizer_options that are rates, in its order.
const RATES = ['momentum', 'dampening', 'beta1', 'beta2', 'epsilon', 'weightDecay'];

// The addon's arguments for an object of options.
function optimizerArguments(options) {
  const known = ['kind', 'nesterov', 'groups', ...RATES];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`unknown option '${unknown}'`);
  const { kind = constants.OPTIMIZER_SGD, nesterov = false, groups = [] } = options;
  const defaults = addon.defaultOptimizerOptions(int32('kind', kind));
  const rates = RATES.map((name, index) => number(name, options[name] ?? defaults[index]));
  const prefixes = groups.map(({ prefix }) => text('prefix', prefix) ?? '');
  const numbers = groups.flatMap(({ kinds = 0, learningRateFactor = 1, weightDecay = 0 }) => [
    int32('kinds', kinds), number('learningRateFactor', learningRateFactor), number('weightDecay', weightDecay),
  ]);
  return [kind, Number(Boolean(nesterov)), Float64Array.from(rates), prefixes, Float64Array.from(numbers)];
}

// What the constructor gets of `fromFile`.
class Adopted {
  constructor(handle, report) {
    Object.assign(this, { handle, report });
  }
}

/** A ResNet, in evaluation mode until `setTraining`. */
class ResNet {
  #handle;
  #outputCount;

  /** The report of `fromFile`, as JSON. */
  report;

  /**
   * A network with random weights, those of `initWeights(0)`.
   *
   * Options, with the library's defaults: depth (50) or architecture (one of `architectures()`), inChannels (3),
   * baseChannels, outStages, frozenStages, normEval, zeroInitResidual, threads, channelOrder, arithmetic, style,
   * normEps, normalization, mean and stdDev, a number for each channel, numClasses, outputStride, dilatedStages and all
   * others up to blockWidths; blockCounts and blockWidths are arrays.
   */
  constructor(options = {}) {
    load();
    const adopted = options instanceof Adopted;
    this.#handle = adopted ? options.handle : addon.create(...optionArguments(options));
    this.report = adopted ? options.report : undefined;
    const bits = this.options.outStages;
    this.#outputCount = [1, 2, 4, 8, 16, 32, 64].filter((bit) => bits & bit).length;
  }

  /**
   * The network that a checkpoint describes, with its weights; its `report` says what was found in it.
   *
   * `options` are as for the constructor; the file determines baseChannels, inChannels and the architecture, unless
   * `architecture` names it. `loadOptions` are as for loadWeights.
   */
  static fromFile(path, options = {}, loadOptions = {}) {
    load();
    const how = loadArguments(loadOptions);
    const [handle, report] = addon.createFromFile(requiredPath(path), ...how, ...optionArguments(options));
    return new ResNet(new Adopted(handle, report));
  }

  /** Frees the network, after the last call that is in progress; may be called again. All else then fails. */
  close() {
    addon.close(this.#handle);
  }

  /** Draws new weights, which are the same for the same seed: an integer, or a BigInt of 64 bits. */
  initWeights(seed = 0) {
    addon.initWeights(this.#handle, BigInt.asUintN(64, BigInt(seed)));
  }

  /**
   * Loads a .pth, a pickle of arrays or a safetensors file, and returns the load report as JSON.
   *
   * A failed load changes nothing; the error for a file that does not fit has the report. Options: `strict` (names that
   * the network lacks are errors), `allowMissing` (weights that the file lacks keep their values), `ignoreModules`
   * (modules that the network does not compute are left out), `head` (HEAD_*), `key`, `prefix` and `maxStreamBytes`
   * (see backbone.h).
   */
  loadWeights(path, options = {}) {
    return addon.loadWeights(this.#handle, requiredPath(path), ...loadArguments(options));
  }

  /** Writes the weights, as a .pth or as safetensors, by the suffix of the path. */
  saveWeights(path) {
    addon.saveWeights(this.#handle, requiredPath(path));
  }

  /** The same under the names of another project ('detectron2', ...; see backbone.h). */
  saveWeightsWith(path, names) {
    addon.saveWeights(this.#handle, requiredPath(path), text('names', names));
  }

  /** Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1). */
  freeze(frozenStages) {
    addon.freeze(this.#handle, int32('frozenStages', frozenStages));
  }

  /** Enters or leaves training mode. */
  setTraining(training) {
    addon.setTraining(this.#handle, Number(Boolean(training)));
  }

  /** Whether the network is in training mode. */
  get training() {
    return addon.getTraining(this.#handle) === 1;
  }

  /**
   * The current options, in the form that the constructor accepts, with the number of threads in use.
   *
   * `architecture` is always set; it is 'custom', and depth 0, for a network that only its file describes.
   */
  get options() {
    const values = addon.getOptions(this.#handle);
    const result = Object.fromEntries(INTEGERS.map((name, index) => [name, values[index]]));
    for (const name of FLAGS) result[name] = result[name] === 1;
    const [normEps, mean, stdDev, blockCounts, blockWidths, architecture] = values.slice(INTEGERS.length);
    return { ...result, normEps, mean, stdDev, blockCounts, blockWidths, architecture };
  }

  #shapes(input) {
    const rows = new BigInt64Array(4 * this.#outputCount);
    addon.outputShapes(this.#handle, input, rows);
    return rows;
  }

  /**
   * The shapes [N, C, H, W] of the outputs for images of a shape [N, C, H, W]: C1, C2 to C5, pooled, logits, as far as
   * they were requested.
   */
  outputShapes(shape) {
    const rows = Array.from(this.#shapes(sizes(shape)), Number);
    return Array.from({ length: this.#outputCount }, (_, stage) => rows.slice(4 * stage, 4 * stage + 4));
  }

  // Outputs with memory of their own, and the addon's arguments.
  #prepared(image) {
    const shape = sizes(image.shape);
    const rows = this.#shapes(shape);
    checkElements('the input', image.data, image.kind, shape);
    const features = this.outputShapes(image.shape).map((shapeOut) => ({
      data: new Float32Array(shapeOut.reduce((product, size) => product * size, 1)),
      shape: shapeOut,
    }));
    const outputs = features.map((feature) => feature.data);
    return [features, [this.#handle, image.data, shape, Number(image.layout === 'nhwc'), outputs, rows]];
  }

  /**
   * The outputs for a batch, in the order of outputShapes: an array of { data: Float32Array, NCHW, shape }. Pooled and
   * logits are of shape [N, C, 1, 1].
   */
  forward(image) {
    const [features, given] = this.#prepared(image);
    addon.forward(...given, 0, undefined);
    return features;
  }

  /** As `forward`, beside JavaScript: a promise. The image is copied first. */
  async forwardAsync(image) {
    const [features, given] = this.#prepared(image);
    await addon.forward(...given, 1, undefined);
    return features;
  }

  /** Computes the outputs into the caller's memory: a Float32Array for each of outputShapes; NCHW. */
  forwardInto(image, out) {
    this.#into(image, out, undefined);
  }

  #into(image, out, tape) {
    const shape = sizes(image.shape);
    const rows = this.#shapes(shape);
    checkElements('the input', image.data, image.kind, shape);
    if (out.length !== this.#outputCount) {
      throw invalid(`out has ${out.length} buffers; this network gives ${this.#outputCount}`);
    }
    out.forEach((data, i) => checkElements(`out[${i}]`, data, Float32Array, rows.slice(4 * i, 4 * i + 4)));
    addon.forward(this.#handle, image.data, shape, Number(image.layout === 'nhwc'), Array.from(out), rows, 0, tape);
  }

  /**
   * Ends the calls of forwardAsync that are in progress: their promises are rejected with STATUS_CANCELLED. Other calls
   * have returned before this can be called.
   */
  cancel() {
    addon.cancel(this.#handle);
  }

  /**
   * An empty tape for this network. Options: `inputGradient` (backward can compute the gradient of the input), `retain`
   * (several backward passes can follow a forward pass) and `recompute` (the backward pass recomputes activations
   * within blocks instead of keeping them).
   */
  newTape({ inputGradient = false, retain = false, recompute = false } = {}) {
    const flags = [inputGradient, retain, recompute].map((flag) => Number(Boolean(flag)));
    return new Tape(addon.newTape(this.#handle, ...flags));
  }

  /** The memory that a tape uses, in bytes. */
  tapeBytes(tape) {
    return addon.tapeBytes(this.#handle, tapeOf(tape));
  }

  /** The outputs as `forward` computes them; fills the tape for `backward`. */
  forwardTrain(tape, image) {
    const [features, given] = this.#prepared(image);
    addon.forward(...given, 0, tapeOf(tape));
    return features;
  }

  /** The same into the caller's memory, as `forwardInto`. */
  forwardTrainInto(tape, image, out) {
    this.#into(image, out, tapeOf(tape));
  }

  /**
   * Computes gradients from those of the outputs: an array of { data, shape } for each, or null for zeros.
   *
   * Options: `gradients`, a Float32Array of `trainableCount` elements, receives those of all trainable parameters;
   * `inputGradient`, { data, shape } of the shape of the images, receives that of the input, which the tape's options
   * must allow; `accumulate` adds to `gradients`.
   */
  backward(tape, outputGradients, { gradients = null, inputGradient = null, accumulate = false } = {}) {
    const given = gradientArguments('output_gradients', outputGradients);
    const inputShape = inputGradient ? checkedShape('input_gradient', inputGradient) : new BigInt64Array(4);
    const all = gradients === null ? null : floats('gradients', gradients);
    const input = inputGradient ? inputGradient.data : null;
    addon.backward(this.#handle, tapeOf(tape), ...given, input, inputShape, all, Number(Boolean(accumulate)));
  }

  /**
   * Computes the gradients with respect to outputs, such as those of a class's logit with respect to C5.
   *
   * `outputGradients` are those of `backward`. `featureGradients`, { data, shape } of the shape of each output, receive
   * the gradients; null for those that are not wanted. No two may share memory. Outputs of frozen stages have gradients
   * only on a tape with `inputGradient`.
   */
  featureGradients(tape, outputGradients, featureGradients) {
    const given = gradientArguments('output_gradients', outputGradients);
    const wanted = gradientArguments('feature_gradients', featureGradients);
    // The C function has one count for both.
    if (outputGradients.length !== featureGradients.length) {
      throw invalid(`${featureGradients.length} feature_gradients for ${outputGradients.length} output_gradients; `
        + 'pass one for each');
    }
    addon.featureGradients(this.#handle, tapeOf(tape), ...given, ...wanted);
  }

  /** Chooses which parameters outside of the frozen stages are trained: TRAINABLE_*. */
  setTrainable(which) {
    addon.setTrainable(this.#handle, int32('which', which));
  }

  /** How many floats all trainable parameters together have. */
  get trainableCount() {
    return addon.trainableCount(this.#handle);
  }

  /**
   * Where the gradient of entry `index` of the state dict is among all gradients: { offset, count }; count is 0 for an
   * entry that is not trainable.
   */
  trainableSlot(index) {
    if (!Number.isSafeInteger(index) || index < 0) throw invalid(`index is ${index}; it must be 0 or more`);
    const [offset, count] = addon.trainableSlot(this.#handle, index);
    return { offset, count };
  }

  /** All trainable parameters: a Float32Array. */
  readTrainable() {
    const values = new Float32Array(this.trainableCount);
    addon.readTrainable(this.#handle, values);
    return values;
  }

  /** Copies a Float32Array to all trainable parameters. */
  writeTrainable(values) {
    addon.writeTrainable(this.#handle, floats('values', values));
  }

  /** Scales gradients, a Float32Array, so that their Euclidean norm is at most `maxNorm`; returns the norm before. */
  clipGradients(gradients, maxNorm) {
    return addon.clipGradients(this.#handle, floats('gradients', gradients), number('maxNorm', maxNorm));
  }

  /**
   * A new optimiser for the parameters that are trainable now.
   *
   * Options, with PyTorch's defaults: kind (OPTIMIZER_SGD), nesterov, momentum, dampening, beta1, beta2, epsilon,
   * weightDecay and groups, an array of { prefix, kinds (PARAMETERS_*), learningRateFactor, weightDecay }; a parameter
   * belongs to the first that fits.
   */
  newOptimizer(options = {}) {
    return new Optimizer(addon.newOptimizer(this.#handle, ...optimizerArguments(options)));
  }

  /**
   * Updates all trainable parameters from their gradients: one step of the optimiser. Gradients that are NaN or
   * infinite are an error of STATUS_NOT_FINITE, unless `allowNotFinite`.
   */
  step(optimizer, gradients, learningRate, { allowNotFinite = false } = {}) {
    const rate = number('learningRate', learningRate);
    const flags = Number(Boolean(allowNotFinite));
    addon.step(this.#handle, optimizerOf(optimizer), floats('gradients', gradients), rate, flags);
  }

  /** Adapts a stale optimiser to the parameters that are trainable now. */
  follow(optimizer) {
    addon.follow(this.#handle, optimizerOf(optimizer));
  }

  /** Writes the weights and the state of an optimiser to one file that PyTorch can read. */
  saveTraining(optimizer, path, learningRate) {
    const rate = number('learningRate', learningRate);
    addon.saveTraining(this.#handle, optimizerOf(optimizer), requiredPath(path), rate);
  }

  /** Loads what saveTraining or PyTorch wrote; returns a report of what was found, as JSON. */
  loadTraining(optimizer, path) {
    return addon.loadTraining(this.#handle, optimizerOf(optimizer), requiredPath(path));
  }

  /** Begins to collect the statistics of BatchNorms from images: backbone_statistics_begin. */
  beginStatistics() {
    addon.beginStatistics(this.#handle);
  }

  /** Adds the statistics of a batch. */
  addStatistics(image) {
    const shape = sizes(image.shape);
    checkElements('the input', image.data, image.kind, shape);
    addon.addStatistics(this.#handle, image.data, shape, Number(image.layout === 'nhwc'));
  }

  /** Replaces the running statistics by the collected ones. */
  commitStatistics() {
    addon.commitStatistics(this.#handle);
  }

  /** Ends collecting and changes nothing. */
  cancelStatistics() {
    addon.cancelStatistics(this.#handle);
  }
}

module.exports = {
  ...constants,
  ABI_VERSION: addon.abiVersion,
  Optimizer,
  ResNet,
  Tape,
  architectures,
  crossEntropy,
  float32,
  load,
  uint8,
  version,
};
