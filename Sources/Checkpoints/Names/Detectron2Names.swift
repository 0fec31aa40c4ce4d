// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The names of detectron2, as its own converter from torchvision makes them: the stages are `res2` to `res5`, a norm is a
/// child of its convolution, and the projection is `shortcut`.
enum Detectron2Names {
    static func translate(
        _ name: inout NameReader, to out: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        if name.take("stem.conv1.") {
            try out.append(name.take("norm.") ? "bn1." : "conv1.")
        } else if name.take("stem.fc.") || name.take("linear.") {
            try out.append("fc.")
        } else {
            guard name.take("res"), let stage = name.number(in: 2...5), name.take("."),
                let block = name.number(in: NameReader.blocks), name.take(".")
            else { return false }
            try out.appendBlock(stage: stage - 1, block: block)
            if name.take("shortcut.") {
                try out.append(name.take("norm.") ? "downsample.1." : "downsample.0.")
            } else {
                guard name.take("conv"), let number = name.number(in: 1...3), name.take(".") else { return false }
                try out.append(name.take("norm.") ? "bn" : "conv")
                try out.append(UInt8(ascii: "0") + UInt8(number))
                try out.append(".")
            }
        }
        try out.append(name.rest)
        return true
    }
}
