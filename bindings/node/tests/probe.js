// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The commands of bindings/tests/probe.c, through the binding.

'use strict';

const fs = require('fs');
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
});
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

function forwardInto(words, less = 0, most = 4) {
  const out = net.outputShapes(shape(words, 3)).slice(0, most).map((sizes) => new Float32Array(product(sizes) - less));
  net.forwardInto(image(words), out);
  return out;
}

const small = () => new backbone.ResNet({ depth: 18, baseChannels: 4 });
const black = () => backbone.float32(new Float32Array(3 * 8 * 8), [1, 3, 8, 8]);

const commands = {
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
  from_file(words) {
    net = backbone.ResNet.fromFile(words[1], {}, how(words));
    return `created report ${net.report}`;
  },
  options() {
    const { normEps, mean, stdDev, normalization, ...integers } = net.options;
    return `options ${Object.values(integers).map(Number).join(' ')} ${bits([normEps])} ${bits(mean)} ${bits(stdDev)}`;
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
  // Networks that are lost with their first forward, while the collector runs.
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
