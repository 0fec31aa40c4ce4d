// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The origin of a file's weights, by its mark `__author__`, which files of detectron2's model zoo have.
package enum Origin: Sendable {
    case unknown
    /// Trained in PyTorch.
    case pytorch
    /// Trained by MSRA in Caffe, or in Caffe2, which has other conventions for layers and pixels.
    case caffe

    init(author: Bytes) {
        if equal(author, "torchvision") || equal(author, "timm") {
            self = .pytorch
        } else if equal(author, "Caffe2") || equal(author, "MSRA") || equal(author, "Detectron") {
            self = .caffe
        } else {
            self = .unknown
        }
    }
}
