// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The commands of bindings/tests/probe.c, through the binding.

'use strict';

const fs = require('fs');
const { Worker } = require('worker_threads');
const { setImmediate: turn, setTimeout: sleep } = require('timers/promises');
const backbone = require('./backbone.js');

let net;

const optional = (word) => (word === '-' ? undefined : word);
const numbers = (word) => (word === '-' ? undefined : word.split(',').map(Number));
const how = (words) => ({
  strict: words[2] === '1',
  key: optional(words[3]),
  prefix: optional(words[4]),
  allowMissing: words[5] === '1',
  ignoreModules: words[6] === '1',
  maxStreamBytes: BigInt(words[7]),
  head: Number(words[8]),
});
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const given = (words) => Object.fromEntries(words.map((word) => {
  const [name, value] = word.split('=');
  const isList = name === 'block_counts' || name === 'block_widths';
  return [camel(name), isList ? numbers(value) : name === 'architecture' ? value : Number(value)];
}));
const shape = (words, first) => words.slice(first, first + 4).map(BigInt);
const bits = (values) => (values ? new Uint32Array(Float32Array.from(values).buffer).join(',') : '-');
const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

function image(words) {
  const bytes = new Uint8Array(fs.readFileSync(words[7]));
  const data = words[1] === 'uint8' ? bytes : new Float32Array(bytes.buffer);
  return backbone[words[1]](data, shape(words, 3), words[2]);
}

function write(path, buffers) {
  fs.writeFileSync(path, Buffer.concat(buffers.map((data) => Buffer.from(data.buffer))));
}

function forwardInto(words, less = 0, most = 7) {
  const out = net.outputShapes(shape(words, 3)).slice(0, most).map((sizes) => new Float32Array(product(sizes) - less));
  net.forwardInto(image(words), out);
  return out;
}

const small = () => new backbone.ResNet({ depth: 18, baseChannels: 4 });
const black = () => backbone.float32(new Float32Array(3 * 8 * 8), [1, 3, 8, 8]);

let tape;
let optimizer;
let inputShape;
let features;
let lossGradient;
let gradients;

const bits64 = (value) => new BigUint64Array(Float64Array.of(value).buffer)[0];
const infinite = (word) => (word === 'inf' ? Infinity : Number(word));

function givenGradients(words) {
  const given = words[1] === 'features' ? features : features.map(() => null);
  if (words[1] === 'loss') given[given.length - 1] = lossGradient;
  return given;
}

function featureGradients(words, less = 0, most = 7) {
  const wanted = features.slice(0, most).map(({ data, shape }, index) => (
    words[2][index] === '1' ? { data: new Float32Array(data.length - less), shape } : null));
  net.featureGradients(tape, givenGradients(words), wanted);
  write(words[3], wanted.filter(Boolean).map(({ data }) => data));
  return 'ok';
}

function backward(words, withInput) {
  const given = givenGradients(words);
  if (words[2] === '0') gradients = new Float32Array(net.trainableCount);
  const inputGradient = withInput ? { data: new Float32Array(product(inputShape)), shape: inputShape } : undefined;
  net.backward(tape, given, { gradients, inputGradient, accumulate: words[2] === '1' });
  write(words[3], withInput ? [inputGradient.data, gradients] : [gradients]);
  return 'ok';
}

const training = {
  trainable(words) {
    net.setTrainable(Number(words[1]));
    return `trainable ${net.trainableCount}`;
  },
  slot(words) {
    const { offset, count } = net.trainableSlot(Number(words[1]));
    return `slot ${offset} ${count}`;
  },
  tape(words) {
    tape = net.newTape({ inputGradient: words[1] === '1', retain: words[2] === '1' });
    return 'ok';
  },
  forward_train(words) {
    features = net.forwardTrain(tape, image(words));
    inputShape = shape(words, 3).map(Number);
    write(words[8], features.map(({ data }) => data));
    return 'ok';
  },
  bytes: () => `bytes ${net.tapeBytes(tape)}`,
  loss(words) {
    const result = backbone.crossEntropy(features.at(-1), words[1].split(','), Number(words[2]));
    lossGradient = result.gradient;
    return `loss ${bits64(result.loss)}`;
  },
  backward: (words) => backward(words, false),
  backward_input: (words) => backward(words, true),
  feature_gradients: (words) => featureGradients(words),
  feature_gradients_short: (words) => featureGradients(words, 1),
  feature_gradients_fewer: (words) => featureGradients(words, 0, 1),
  clip: (words) => `norm ${bits64(net.clipGradients(gradients, infinite(words[1])))}`,
  optimizer(words) {
    const names = ['momentum', 'dampening', 'beta1', 'beta2', 'epsilon', 'weightDecay'];
    const rates = names.map((name, i) => [name, words[3 + i] === '-' ? undefined : Number(words[3 + i])]);
    const groups = words.slice(9).map((word) => {
      const [prefix, kinds, learningRateFactor, weightDecay] = word.split(':');
      return {
        prefix: optional(prefix),
        kinds: Number(kinds),
        learningRateFactor: Number(learningRateFactor),
        weightDecay: Number(weightDecay),
      };
    });
    const options = { kind: Number(words[1]), nesterov: words[2] === '1', groups, ...Object.fromEntries(rates) };
    optimizer = net.newOptimizer(options);
    return 'ok';
  },
  step(words) {
    net.step(optimizer, gradients, Number(words[1]), { allowNotFinite: words[2] === '1' });
    return 'ok';
  },
  spoil() {
    gradients[0] = Infinity;
    return 'ok';
  },
  follow() {
    net.follow(optimizer);
    return 'ok';
  },
  parameters(words) {
    gradients = net.readTrainable();
    net.writeTrainable(gradients);
    write(words[1], [gradients]);
    return 'ok';
  },
  save_training(words) {
    net.saveTraining(optimizer, words[1], Number(words[2]));
    return 'ok';
  },
  load_training: (words) => `ok report ${net.loadTraining(optimizer, words[1])}`,
  save_as(words) {
    net.saveWeightsWith(words[1], words[2]);
    return 'ok';
  },
  free(words) {
    (words[1] === 'tape' ? tape : optimizer).close();
    return 'ok';
  },
  // Tapes and optimisers that are lost with their first use.
  async churn_training(words) {
    for (let i = 0; i < Number(words[1]); i++) {
      const lost = small();
      lost.forwardTrain(lost.newTape(), backbone.float32(new Float32Array(3 * 32 * 32), [1, 3, 32, 32]));
      globalThis.gc();
      lost.step(lost.newOptimizer(), new Float32Array(lost.trainableCount), 0);
      globalThis.gc();
      await turn();
    }
    globalThis.gc();
    await sleep(50);
    return `churned ${words[1]}`;
  },
};

// The parameters after a few steps. It is also sent to a worker, as text.
function trained(binding) {
  const network = new binding.ResNet({ depth: 18, baseChannels: 8, numClasses: 5, outStages: binding.STAGE_LOGITS });
  network.setTraining(true);
  const tape = network.newTape();
  const optimizer = network.newOptimizer({ momentum: 0.9 });
  const gradients = new Float32Array(network.trainableCount);
  const pixels = Float32Array.from({ length: 4 * 3 * 96 * 96 }, (_, i) => Math.sin(i));
  for (let i = 0; i < 10; i++) {
    const [logits] = network.forwardTrain(tape, binding.float32(pixels, [4, 3, 96, 96]));
    network.backward(tape, [binding.crossEntropy(logits, [0, 1, 2, 3]).gradient], { gradients });
    network.step(optimizer, gradients, 0.05);
  }
  return network.readTrainable();
}

function sendTrained(path, train) {
  require('worker_threads').parentPort.postMessage(train(require(path)));
}

const commands = {
  ...training,
  open(words) {
    backbone.load(words[1]);
    return 'ok';
  },
  version: () => `version ${backbone.version()} abi ${backbone.ABI_VERSION}`,
  create(words) {
    const names = ['depth', 'inChannels', 'baseChannels', 'outStages', 'frozenStages', 'normEval', 'zeroInitResidual',
      'threads', 'channelOrder', 'arithmetic', 'style', 'normEps'];
    const options = Object.fromEntries(names.map((name, index) => [name, Number(words[index + 1])]));
    net = new backbone.ResNet({ ...options, mean: numbers(words[13]), stdDev: numbers(words[14]) });
    return 'created';
  },
  named(words) {
    const depth = words[2] === '-' ? undefined : Number(words[2]);
    net = new backbone.ResNet({ architecture: optional(words[1]), depth, baseChannels: 4, threads: 2 });
    return 'created';
  },
  build(words) {
    net = new backbone.ResNet(given(words.slice(1)));
    return 'created';
  },
  architectures: () => `architectures ${backbone.architectures().join(' ')}`,
  from_file(words) {
    net = backbone.ResNet.fromFile(words[1], given(words.slice(9)), how(words));
    return `created report ${net.report}`;
  },
  options() {
    const { normEps, mean, stdDev, normalization, blockCounts, blockWidths, architecture, ...rest } = net.options;
    const integers = Object.values(rest).map(Number);
    const floats = [[normEps], mean, stdDev].map(bits).join(' ');
    const lists = [blockCounts, blockWidths].map((values) => (values ? values.join(',') : '-'));
    return ['options', ...integers.slice(0, 11), floats, ...integers.slice(11), ...lists, architecture].join(' ');
  },
  init(words) {
    net.initWeights(words[1]);
    return 'ok';
  },
  load: (words) => `ok report ${net.loadWeights(words[1], how(words))}`,
  save(words) {
    net.saveWeights(words[1]);
    return 'ok';
  },
  freeze(words) {
    net.freeze(Number(words[1]));
    return 'ok';
  },
  training(words) {
    net.setTraining(words[1] === '1');
    return `training ${Number(net.training)}`;
  },
  shapes: (words) => `shapes ${net.outputShapes(shape(words, 1)).flat().join(' ')}`,
  async forward(words) {
    // Both ways: they have to agree.
    const features = net.forward(image(words));
    if (!net.training) {
      const beside = await net.forwardAsync(image(words));
      features.forEach(({ data }, index) => {
        if (Buffer.compare(Buffer.from(data.buffer), Buffer.from(beside[index].data.buffer))) throw new Error('differ');
      });
    }
    write(words[8], features.map(({ data }) => data));
    return 'ok';
  },
  forward_into(words) {
    write(words[8], forwardInto(words));
    return 'ok';
  },
  forward_short: (words) => forwardInto(words, 1),
  forward_fewer: (words) => forwardInto(words, 0, 1),
  // Networks that are lost with their first forward pass, while the collector runs.
  async churn(words) {
    for (let i = 0; i < Number(words[1]); i++) {
      const call = small().forwardAsync(black());
      globalThis.gc();
      await call;
      await turn();
    }
    globalThis.gc();
    await sleep(50); // finalizers run between turns
    return `churned ${words[1]}`;
  },
  async race() {
    const racer = small();
    let when = 'during';
    const call = racer.forwardAsync(black()).then((features) => {
      when = 'after';
      return features.length;
    });
    await sleep(200);
    racer.close();
    const closed = `closed ${when} the call`;
    return `${closed}\nthe call gave ${await call} features`;
  },
  async cancel(words) {
    let isDone = false;
    const call = net.forwardAsync(image(words)).finally(() => { isDone = true; });
    call.catch(() => {});
    while (!isDone) {
      net.cancel();
      await sleep(1);
    }
    return `not cancelled: ${(await call).length}`;
  },
  // Training in a worker, while this thread goes on, and then here.
  async worker() {
    let turns = 0;
    const timer = setInterval(() => { turns++; }, 1);
    const [beside, during] = await new Promise((resolve, reject) => {
      const worker = new Worker(`(${sendTrained})(${JSON.stringify(require.resolve('./backbone.js'))}, ${trained})`,
        { eval: true });
      worker.on('error', reject).on('message', (values) => resolve([values, turns]));
    });
    clearInterval(timer);
    const same = Buffer.compare(Buffer.from(beside.buffer), Buffer.from(trained(backbone).buffer)) === 0;
    return `${same ? 'the same' : 'other'} values, ${during > 10 ? 'many' : during} turns`;
  },
  close() {
    net.close();
    return 'closed';
  },
};

async function main() {
  for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const words = line.split(' ');
    let said;
    try {
      said = await commands[words[0]](words);
    } catch (error) {
      if (!error.status) throw error;
      said = `error ${error.status} ${error.message}${error.report ? ` report ${error.report}` : ''}`;
    }
    console.log(said);
  }
}

main();
