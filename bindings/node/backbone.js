// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/**
 * libbackbone for Node.js: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that PyTorch wrote.
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
 * pool; any number may run at a time, and a network that is closed meanwhile is freed after the last of them. Workers
 * need networks of their own. Every failure is an Error with the library's own message, its `status` (STATUS_*) and,
 * for a checkpoint that does not fit, `report` (JSON).
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
  STAGE_C2: 1,
  STAGE_C3: 2,
  STAGE_C4: 4,
  STAGE_C5: 8,
  STAGE_ALL: 15,
  CHANNELS_AS_GIVEN: 0,
  CHANNELS_REVERSED: 1,
  NORMALIZE_UINT8: 0,
  NORMALIZE_ALL: 1,
  ARITHMETIC_FAST: 0,
  ARITHMETIC_DIRECT: 1,
  STYLE_PYTORCH: 0,
  STYLE_CAFFE: 1,
  IMAGENET_MEAN: Object.freeze([123.675, 116.28, 103.53]),
  IMAGENET_STD_DEV: Object.freeze([58.395, 57.12, 57.375]),
};

// The fields of backbone_options that are integers, in its order.
const INTEGERS = [
  'depth', 'inChannels', 'baseChannels', 'outStages', 'frozenStages', 'normEval', 'zeroInitResidual', 'threads',
  'channelOrder', 'arithmetic', 'style', 'normalization',
];
const FLAGS = ['normEval', 'zeroInitResidual'];

function invalid(message) {
  return Object.assign(new Error(message), { status: constants.STATUS_INVALID_ARGUMENT });
}

// Text as C takes it, which would take a zero byte for its end; undefined and null stay what they are.
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

function int32(label, value) {
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (!Number.isInteger(number) || number !== (number | 0)) {
    throw invalid(`${label} is ${value}; it must be an integer of 32 bits`);
  }
  return number;
}

function perChannel(label, values, channels) {
  if (values === undefined || values === null) return null;
  if (values.length !== channels) {
    throw invalid(`${label} has ${values.length} values; it must have one for each of in_channels, ${channels}`);
  }
  return Float32Array.from(values);
}

// What the addon takes for an object of options.
function optionArguments(options) {
  const defaults = addon.defaultOptions();
  const known = [...INTEGERS, 'normEps', 'mean', 'stdDev'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`there is no option '${unknown}'`);
  const integers = INTEGERS.map((name, index) => int32(name, options[name] ?? defaults[index]));
  const [mean, stdDev] = [['mean', options.mean], ['std_dev', options.stdDev]]
    .map(([label, values]) => perChannel(label, values, integers[1]));
  return [Int32Array.from(integers), options.normEps ?? defaults[INTEGERS.length], mean, stdDev];
}

function loadArguments({ strict, key, prefix, allowMissing, ignoreModules, maxStreamBytes = 0 } = {}) {
  const flags = Int32Array.from([strict, allowMissing, ignoreModules], (flag) => Number(Boolean(flag)));
  return [flags, BigInt.asUintN(64, BigInt(maxStreamBytes)), text('key', key), text('prefix', prefix)];
}

// Sizes as C's integers; they may be numbers or BigInts.
function sizes(shape) {
  if (!Array.isArray(shape) || shape.length !== 4) throw invalid('the shape must be an array of N, C, H and W');
  const values = shape.map((size) => {
    if (typeof size !== 'bigint' && !Number.isInteger(size)) throw invalid(`the shape has ${size}, no integer`);
    return BigInt(size);
  });
  const far = values.find((size) => BigInt.asIntN(64, size) !== size);
  if (far !== undefined) throw invalid(`the shape has ${far}, which is no integer of 64 bits`);
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

/** Opens the library, which no call before this one may have done; without a path: as every first call looks for it. */
function load(path) {
  addon.load(text('path', path));
}

/** The version of the library, "major.minor.patch". */
function version() {
  load();
  return addon.version();
}

// What the constructor gets of `fromFile`.
class Adopted {
  constructor(handle, report) {
    Object.assign(this, { handle, report });
  }
}

/** A ResNet without its pooling and classifier, in evaluation mode until `setTraining`. */
class ResNet {
  #handle;
  #stages;

  /** The report of `fromFile`, as JSON. */
  report;

  /**
   * A network with random weights, those of `initWeights(0)`.
   *
   * Options, with the library's defaults: depth (50), inChannels (3), baseChannels, outStages, frozenStages, normEval,
   * zeroInitResidual, threads, channelOrder, arithmetic, style, normEps, normalization, and mean and stdDev, a number
   * for each channel.
   */
  constructor(options = {}) {
    load();
    const adopted = options instanceof Adopted;
    this.#handle = adopted ? options.handle : addon.create(...optionArguments(options));
    this.report = adopted ? options.report : undefined;
    const stages = this.options.outStages;
    this.#stages = [1, 2, 4, 8].filter((stage) => stages & stage).length;
  }

  /**
   * The network that a checkpoint describes, with its weights; its `report` says what was found in it.
   *
   * `options` are as for the constructor; depth, baseChannels and inChannels are those of the file. `loadOptions` are
   * as for loadWeights.
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
   * Loads a .pth, a pickle of arrays or a safetensors file, and returns a report of what was found, as JSON.
   *
   * A failed load changes nothing; the error for a file that does not fit has the report. Options: `strict` (names that
   * the network lacks are errors), `allowMissing` (weights that the file lacks keep their values), `ignoreModules`
   * (modules that the network does not compute are left out), `key`, `prefix` and `maxStreamBytes` (see backbone.h).
   */
  loadWeights(path, options = {}) {
    return addon.loadWeights(this.#handle, requiredPath(path), ...loadArguments(options));
  }

  /** Writes the weights, as a .pth or as safetensors, by the ending of the path. */
  saveWeights(path) {
    addon.saveWeights(this.#handle, requiredPath(path));
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

  /** The options as they stand now, as the constructor takes them, with the number of threads in use. */
  get options() {
    const values = addon.getOptions(this.#handle);
    const result = Object.fromEntries(INTEGERS.map((name, index) => [name, values[index]]));
    for (const name of FLAGS) result[name] = result[name] === 1;
    const [normEps, mean, stdDev] = values.slice(INTEGERS.length);
    return { ...result, normEps, mean, stdDev };
  }

  #shapes(input) {
    const rows = new BigInt64Array(4 * this.#stages);
    addon.outputShapes(this.#handle, input, rows);
    return rows;
  }

  /** The shapes [N, C, H, W] of the features of images of a shape [N, C, H, W], from C2 to C5. */
  outputShapes(shape) {
    const rows = Array.from(this.#shapes(sizes(shape)), Number);
    return Array.from({ length: this.#stages }, (_, stage) => rows.slice(4 * stage, 4 * stage + 4));
  }

  // Features with memory of their own, and what the addon takes.
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

  /** The features of a batch, from C2 to C5: an array of { data: Float32Array, NCHW, shape: [N, C, H, W] }. */
  forward(image) {
    const [features, given] = this.#prepared(image);
    addon.forward(...given, 0);
    return features;
  }

  /** As `forward`, beside JavaScript: a promise. The image is copied first. */
  async forwardAsync(image) {
    const [features, given] = this.#prepared(image);
    await addon.forward(...given, 1);
    return features;
  }

  /** Computes the features into the caller's memory: a Float32Array for each of outputShapes; NCHW. */
  forwardInto(image, out) {
    const shape = sizes(image.shape);
    const rows = this.#shapes(shape);
    checkElements('the input', image.data, image.kind, shape);
    if (out.length !== this.#stages) throw invalid(`out has ${out.length} buffers; this network gives ${this.#stages}`);
    out.forEach((data, i) => checkElements(`out[${i}]`, data, Float32Array, rows.slice(4 * i, 4 * i + 4)));
    addon.forward(this.#handle, image.data, shape, Number(image.layout === 'nhwc'), Array.from(out), rows, 0);
  }
}

module.exports = { ...constants, ABI_VERSION: addon.abiVersion, ResNet, float32, load, uint8, version };
