// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

let usage = """
    Usage: backbone-bench COMMAND [options]

    Commands:
      peak       what the cores can do at most: multiplications in registers, and reading memory
      layers     the plan of a network as a table: kernel, time, GFLOP/s and bytes of each layer
      kernels    each convolution of a network by itself with every kernel that can compute it, after a comparison with
                 a loop in Double: time, GFLOP/s, and the share of what the cores can do at most
      forward    median, fastest and slowest time of a forward pass
      training   a forward and a backward pass with a tape, and the time of each part

    Options of all but peak:
      --architecture NAME  "resnet18", "resnext50_32x4d", ... (default resnet50)
      --size HxW           of the image (default 224x224)
      --batch N            images (default 1)
      --runs N             measured forward passes, after two that are not (default 20)
      --weights FILE       a checkpoint; without it the weights are random
      --arithmetic NAME    fast (default) or direct

    Options of kernels:
      --nonzero N          the percentage of inputs that are not zero where zeros are skipped (default 50)

    Options of training:
      --frozen N           frozen stages, -1 to 4 (default 1)
      --norms NAME         eval (default: running statistics) or batch

    Options of all:
      --threads N          (default: those this process may use)
      --help               print this text

    Times are medians. `layers` reports the median of each layer.
    """

do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    switch options.command {
    case .help: print(usage)
    case .peak: try measurePeak(options)
    case .layers: try measureLayers(options)
    case .kernels: try measureKernels(options)
    case .forward: try measureForward(options)
    case .training: try measureTraining(options)
    }
} catch let error as BenchError {
    let line = "backbone-bench: \(error.message)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(error.isUsage ? 2 : 1)
}
