// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Names of blobs as Caffe2's and Detectron's ResNets have them: `res2_0_branch2a_w`, `res_conv1_bn_s`; `branch1` is the
/// projection, `branch2a` to `branch2c` are the convolutions.
enum Caffe2Names {
    static func translate(
        _ name: inout NameReader, to out: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        if name.take("res_conv1_bn_") || name.take("conv1_bn_") {
            try out.append("bn1.")
            return try appendNorm(name, to: &out)
        }
        if name.take("conv1_") {
            try out.append("conv1.")
            return try appendWeight(&name, to: &out)
        }
        if name.take("fc1000_") || name.take("pred_") {
            try out.append("fc.")
            return try appendWeight(&name, to: &out)
        }
        guard name.take("res"), let stage = name.number(in: 2...5), name.take("_"),
            let block = name.number(in: NameReader.blocks), name.take("_branch")
        else { return false }
        try out.appendBlock(stage: stage - 1, block: block)
        if name.take("1_") {
            if name.take("bn_") {
                try out.append("downsample.1.")
                return try appendNorm(name, to: &out)
            }
            try out.append("downsample.0.")
            return try appendWeight(&name, to: &out)
        }
        let number: StaticString
        if name.take("2a_") {
            number = "1."
        } else if name.take("2b_") {
            number = "2."
        } else if name.take("2c_") {
            number = "3."
        } else {
            return false
        }
        let isNorm = name.take("bn_")
        try out.append(isNorm ? "bn" : "conv")
        try out.append(number)
        return isNorm ? try appendNorm(name, to: &out) : try appendWeight(&name, to: &out)
    }

    /// Momenta of a training, and a bias of the first convolution that Detectron's network does not have either.
    static func isIgnorable(_ name: Bytes) -> Bool { name.hasSuffix("_momentum") || equal(name, "conv1_b") }

    private static func appendWeight(
        _ name: inout NameReader, to out: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        if name.takeLast("w") {
            try out.append("weight")
        } else if name.takeLast("b") {
            try out.append("bias")
        } else {
            return false
        }
        return true
    }

    private static func appendNorm(
        _ name: NameReader, to out: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        let field = name.rest
        if equal(field, "s") || equal(field, "gamma") {
            try out.append("weight")
        } else if equal(field, "b") || equal(field, "beta") {
            try out.append("bias")
        } else if equal(field, "rm") || equal(field, "running_mean") {
            try out.append("running_mean")
        } else if equal(field, "riv") || equal(field, "running_var") {
            // Called "inverse", but what Caffe2 stores under it is the variance itself.
            try out.append("running_var")
        } else {
            return false
        }
        return true
    }
}
